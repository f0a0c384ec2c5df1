"""`invite`: the link that adds the bot to a server."""

import argparse
import os
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli import EX_CONFIG, proxies
from discordianai.cli.common import say
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError

if TYPE_CHECKING:
    from discordianai.cli import Commands
    from discordianai.settings.tables import Settings

TIMEOUT = 30.0
"""Seconds for Discord to answer."""


def add_to(commands: "Commands") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "invite",
        help="print the link that adds the bot to a server",
        description="Ask Discord which application the token belongs to, and print the link that adds the bot"
        " to a server, with exactly the permissions that it needs. The exit status is 1 if Discord cannot be"
        " asked, and 78 if the settings or the token cannot be used.",
    )
    parser.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    parser.set_defaults(command=_invite)


def _invite(options: argparse.Namespace) -> int:
    settings = _settings(options.settings)
    proxies.require()
    # Imported here, as the other commands would wait for it.
    import trio

    from discordianai.discord.commands.invitation import link
    from discordianai.operations import logs
    from discordianai.operations.checks.discord_check import DiscordCheckFailed

    logs.configure(replace(settings.logging, level="ERROR"))  # what matters is said here
    try:
        application_id = trio.run(_application_id, settings)
    except DiscordCheckFailed as failed:
        say(f"{failed.finding.found}; {failed.finding.advice}")
        return EX_CONFIG if failed.finding.fatal else 1
    except trio.TooSlowError:
        say(f"Discord did not answer within {TIMEOUT:g} s; try again")
        return 1
    sys.stdout.write(f"{link(application_id)}\n")
    return 0


def _settings(path: Path | None) -> "Settings":
    """Settings with a token; a provider is not needed for this. Raises `SettingsError`."""
    reading = settings_file.examine(settings_file.find(path), os.environ)
    if reading.settings is None:
        raise SettingsError(*reading.problems)
    if reading.settings.discord.token is None:
        about_it = [problem for problem in reading.problems if problem.startswith("discord.token")]
        raise SettingsError(*(about_it or reading.problems))
    return reading.settings


async def _application_id(settings: "Settings") -> int:
    """Raises `DiscordCheckFailed`, or `trio.TooSlowError`."""
    import trio

    from discordianai.operations.checks.discord_check import DiscordCheck
    from discordianai.operations.checks.online_check import CheckContext

    with trio.fail_after(TIMEOUT):
        context = CheckContext(http2=False, ssl_context=ssl.create_default_context())
        return await DiscordCheck(settings, context).application_id()
