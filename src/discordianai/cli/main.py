"""Assembles the operator's commands, and turns their errors into messages and exit statuses."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from discordianai.cli import (
    EX_CONFIG,
    advise,
    backup,
    check,
    conversations,
    init,
    invite,
    migrate,
    run,
    service,
    settings,
)
from discordianai.cli.partial_file import NotWritten
from discordianai.conversations.store import StoreError
from discordianai.settings.document import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the process's exit status."""
    options = make_parser().parse_args(arguments)
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


def make_parser() -> argparse.ArgumentParser:
    """Knows every command; a command's function is in `command` of what it has parsed."""
    parser = argparse.ArgumentParser(
        prog="discordianai",
        description="A Discord assistant that answers from OpenAI, Perplexity and others.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (init, run, check, invite, advise, backup, conversations, service, settings, migrate):
        group.add_to(commands)
    return parser
