"""`discordianai service`: makes this installation a systemd service, or undoes that.

It writes unit files and says what is left to do. It never runs systemctl: to start a bot, or to stop one,
stays the operator's own word.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from discordianai.operations.checks.readiness import Found, doubts, look, obstacles
from discordianai.operations.units.files import Needs, unit_files
from discordianai.operations.units.installation import find_installation
from discordianai.operations.units.locations import SYSTEM, BotService, UnitError, places_of_user
from discordianai.operations.units.writing import remove, write

if TYPE_CHECKING:
    from discordianai.cli import Commands


def add_to(commands: "Commands") -> None:
    """Add `service install` and `service uninstall`."""
    group = commands.add_parser("service", help="run the bot under systemd")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    install = actions.add_parser("install", help="write a unit for this installation")
    install.set_defaults(command=_install)
    install.add_argument("--settings", type=Path, metavar="PATH", help="the bot's settings.toml")
    install.add_argument("--dry-run", action="store_true", help="print the unit without writing it")
    uninstall = actions.add_parser("uninstall", help="remove the unit; settings, secrets and data stay")
    uninstall.set_defaults(command=_uninstall)
    for action in (install, uninstall):
        action.add_argument("--user", action="store_true", help="a user service instead of a system service")
        action.add_argument("--name", metavar="NAME", help="one of several bots on this machine")


def _install(options: argparse.Namespace) -> int:
    try:
        bot = _bot(options)
        found = look(bot, options.settings)
        installation = find_installation()
        drain, cache = found.settings.discord.drain_seconds, found.settings.conversations.cache_megabytes
        needs = Needs(found.settings_file, drain, cache, found.secrets)
        files = unit_files(bot, installation, needs)
        hindered = tuple(obstacles(bot, installation, found))
        if options.dry_run:
            _say("\n".join(f"# {file.path}\n{file.text}" for file in files))
        elif hindered:
            raise UnitError("\n".join(hindered))
        else:
            _say(f"{path}: {'written' if new else 'unchanged'}" for path, new in write(files).items())
    except UnitError as error:
        _say(str(error), to=sys.stderr)
        return 1
    _say((*hindered, *doubts(bot, found), *_what_is_left(bot, found)), to=sys.stderr)
    return 0


def _uninstall(options: argparse.Namespace) -> int:
    try:
        bot = _bot(options)
        gone = remove(bot)
    except UnitError as error:
        _say(str(error), to=sys.stderr)
        return 1
    _say([f"{path}: removed" for path in gone] or f"{bot.unit} is not installed in {bot.places.units}")
    if gone:
        _say(f"{bot.folder} and the data in {_data(bot)} are still there.", to=sys.stderr)
        _say(f"Next:\n  {bot.places.systemctl} daemon-reload", to=sys.stderr)
    return 0


def _bot(options: argparse.Namespace) -> BotService:
    return BotService(places_of_user() if options.user else SYSTEM, options.name)


def _what_is_left(bot: BotService, found: Found) -> Iterator[str]:
    owner, sudo = ("you", "") if bot.places.of_user else ("root", "sudo ")
    yield f"Settings: {found.settings_file}"
    yield f"Data: {_data(bot)}"
    yield f"Secrets, each alone in a file of mode 600 that belongs to {owner}:"
    for credential, file in found.secret_files.items():
        yield f"  {file}: {'there' if credential in found.secrets else 'not there'}"
    yield f"To add one: {sudo}install -D -m 600 /dev/stdin FILE; paste it, press Enter and Ctrl-D."
    yield "The unit lists the secrets that exist now: run this command again after adding or removing one."
    yield "Each further provider in the settings has one, too."
    yield "Next:"
    yield f"  {sudo}{bot.places.systemctl} daemon-reload"
    yield f"  {sudo}{bot.places.systemctl} enable --now {bot.unit}"
    if bot.places.of_user:
        yield "  loginctl enable-linger    # or the bot ends when you log out"


def _data(bot: BotService) -> str:
    if bot.places.of_user:
        return f"~/.local/state/{bot.state}, or ~/.config/{bot.state} before systemd 254"
    return f"/var/lib/{bot.state}"


def _say(lines: str | Iterable[str], to: TextIO | None = None) -> None:
    text = lines if isinstance(lines, str) else "\n".join(lines)
    print(text, file=to or sys.stdout)
