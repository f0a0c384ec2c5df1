"""Assembles the operator's commands, and turns their errors into messages and exit statuses."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata

from discordianai.cli import EX_CONFIG
from discordianai.cli.partial_file import NotWritten
from discordianai.conversations.store import StoreError
from discordianai.settings.document import SettingsError

MODULES = {
    "init": "init",
    "run": "run",
    "sandbox": "run",
    "check": "check",
    "invite": "invite",
    "advise": "advise",
    "backup": "backup",
    "conversations": "conversations",
    "service": "service",
    "settings": "settings",
    "migrate": "migrate",
}
"""Of each command, in the order of the help: the module of this package that adds and runs it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the process's exit status."""
    typed = sys.argv[1:] if arguments is None else arguments
    options = make_parser(*typed[:1]).parse_args(typed)
    try:
        status: int = options.command(options)
    except SettingsError as error:
        return _tell(*error.problems, status=EX_CONFIG)
    except (StoreError, NotWritten) as error:
        return _tell(str(error), status=1)
    except BrokenPipeError:  # whoever read stdout has seen enough
        _close_stdout()
        return 1
    except OSError as error:
        _close_stdout()
        return _tell(f"{error.filename or 'stdout'}: {error.strerror}", status=1)
    except KeyboardInterrupt:
        return _tell("stopped", status=1)
    except BaseExceptionGroup as errors:  # from a nursery
        if errors.split(KeyboardInterrupt)[1] is not None:
            raise
        return _tell("stopped", status=1)
    return status


def _close_stdout() -> None:
    """What could not be written is not tried once more, with a traceback, when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(*sentences: str, status: int) -> int:
    for sentence in sentences:
        print(sentence, file=sys.stderr)  # noqa: T201  # for the person at the terminal
    return status


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"discordianai {metadata.version('discordianai')}")  # noqa: T201  # for the person at the terminal
        parser.exit()


def make_parser(command: str = "") -> argparse.ArgumentParser:
    """Knows every command; a command's function is in `command` of what it has parsed.

    Where `command` is one, it knows that alone: no command, and no bot, loads the modules of the others.
    """
    parser = argparse.ArgumentParser(
        prog="discordianai",
        description="A Discord assistant that answers from OpenAI, Perplexity and others.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in [MODULES[command]] if command in MODULES else dict.fromkeys(MODULES.values()):
        import_module(f"discordianai.cli.{module}").add_to(commands)
    return parser
