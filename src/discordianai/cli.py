"""The commands a person types."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from discordianai import settings_file
from discordianai.commands import migrate, service

EX_CONFIG = 78
"""From sysexits.h: the configuration is wrong, so that starting again is no use."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except settings_file.SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201  # for the person at the terminal
        return EX_CONFIG
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discordianai", description="A Discord assistant that answers from OpenAI and Perplexity."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the bot")
    run.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    run.set_defaults(command=_run)
    sandbox = commands.add_parser("sandbox", help="try the bot here, with no account and no key")
    sandbox.set_defaults(command=_sandbox)
    service.add_to(commands)
    migrate.add_to(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    settings = settings_file.load(options.settings)
    # Imported here so that a mistake in the settings is told at once.
    from discordianai import app
    from discordianai.conversations.store import StoreError
    from discordianai.discord.session_limit import ListenerRefused
    from discordianai.operations import logs

    logs.configure(settings.logging)
    log = logging.getLogger("discordianai")
    try:
        trio.run(app.run, settings)
    except ListenerRefused as error:
        log.critical("%s", error)
        return EX_CONFIG
    except StoreError as error:
        log.critical("%s", error)
        return 1
    except Exception:
        log.critical("a part of the bot died of a bug", exc_info=True)
        return 1
    return 0


def _sandbox(_options: argparse.Namespace) -> int:
    from discordianai.sandbox import terminal

    return trio.run(terminal.run)
