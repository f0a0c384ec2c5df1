"""`check`: whether the bot can run here; with `--online`, also against Discord and the providers."""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli import EX_CONFIG
from discordianai.cli.common import say
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.privileges import acting_as_owner
from discordianai.safe_files import located

if TYPE_CHECKING:
    from discordianai.cli import Commands
    from discordianai.conversations.options import ConversationOptions
    from discordianai.settings.tables import Settings

TIMEOUT = 30.0
LONGEST_TIMEOUT = 600.0
"""Seconds for each question to a service."""


def add_to(commands: "Commands") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="check whether the bot can run here",
        description="Check whether the bot can run here. The exit status is 0, 1 for a problem, or 78 if the"
        " bot would not start.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--online", action="store_true", help="also check Discord and the providers")
    what.add_argument(
        "--live", action="store_true", help="ask only the running bot whether it is alive, for a container"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT,
        metavar="SECONDS",
        help=f"timeout of each request, with --online (default: {TIMEOUT:g})",
    )
    parser.set_defaults(command=_check)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to {LONGEST_TIMEOUT:g}")
    return seconds


def _check(options: argparse.Namespace) -> int:
    # Imported here, as each of the others would wait for it.
    from discordianai.operations.checks import environment, price_check, settings_check

    if options.live:
        return _live(options)
    looked = settings_check.look(options.settings, os.environ)
    findings = [*looked.findings, *environment.look()]
    if looked.settings is not None:
        findings += price_check.look(looked.settings, datetime.now(UTC).date())
        findings += _database(looked.settings.conversations)
    if options.online:
        if looked.settings is None:
            say("not checked: the settings cannot be used")
        elif any(finding.fatal and finding.subject == environment.PROXIES for finding in findings):
            say("not checked: the environment's proxy settings cannot be used")
        else:
            findings += _ask(looked.settings, options.timeout)
    _print(findings, as_json=options.json)
    return exit_status(findings)


def _database(options: "ConversationOptions") -> list[Finding]:
    from discordianai.operations.checks import database_check, postgres_check

    if (url := options.url) is not None:
        return list(postgres_check.look(url))
    path = located(Path(options.database))
    with acting_as_owner(path):
        return list(database_check.look(path))


def _live(options: argparse.Namespace) -> int:
    """Without secrets: a health check may have other ones than the bot."""
    from discordianai.operations.checks import liveness
    from discordianai.settings import file as settings_file

    findings = [liveness.ask(settings_file.load_without_secrets(options.settings).operations)]
    _print(findings, as_json=options.json)
    return exit_status(findings)


def _ask(settings: "Settings", timeout: float) -> Sequence[Finding]:
    # Imported here: they take as long as all of the rest.
    from discordianai.operations import logs
    from discordianai.operations.checks import online

    logs.configure(replace(settings.logging, level="ERROR"))  # what matters is in the table
    if sys.stderr.isatty():
        say("checking Discord and the providers ...")
    return online.ask(settings, timeout)


def exit_status(findings: Sequence[Finding]) -> int:
    """The exit status for the worst finding; warnings do not count."""
    problems = [finding for finding in findings if finding.verdict is CheckStatus.PROBLEM]
    if any(finding.fatal for finding in problems):
        return EX_CONFIG
    return 1 if problems else 0


def _print(findings: Sequence[Finding], *, as_json: bool) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have what no encoding has
    if as_json:
        shown = {"status": exit_status(findings), "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
        return
    from discordianai.operations.checks.findings import show

    show(findings, sys.stdout)
