"""The text of the unit files, from the templates beside this module.

A bot without a name has one file. Bots with names share `discordianai@.service`, in which `%i` is the name,
and each has a drop-in with what is its own: a credential whose file is missing would keep a bot from
starting, so that those cannot be shared.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from discordianai.operations.units.installation import FLAGS, Installation, outermost
from discordianai.operations.units.locations import BotService, UnitLocations, bare, program, quoted

MARK = "# Written by `discordianai service install"
"""How a file of ours begins: another one is never overwritten or removed."""

SHARED_UNIT = "discordianai@.service"

STOP_MARGIN = 30
"""Seconds beyond the drain: an answer that is cut short has 3 for its last words, the listener's thread 10 to
close, then the pools and the store close."""

MEMORY_MEGABYTES = 1024
"""What a bot may take beside `cache_megabytes`.

Half an hour under load, with 594 questions open, took 134 MB with the cache, and no input is known that adds
more than 18: a bot that reaches this is broken, and systemd starts it again.
"""

_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A unit file to be written."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What one bot runs with: its settings' file, what they say, and the files of its credentials."""

    settings: Path
    drain_seconds: float
    cache_megabytes: float
    credentials: Mapping[str, Path]


def unit_files(bot: BotService, installation: Installation, needs: Needs) -> tuple[UnitFile, ...]:
    """The unit files of one bot. Raises `UnitError` for a path that no unit can contain."""
    own = {
        "EXEC_START": _exec_start(installation, quoted(needs.settings)),
        "TIMEOUT_STOP": str(math.ceil(needs.drain_seconds) + STOP_MARGIN),
        "MEMORY_MAX": _memory_max(needs.cache_megabytes),
        "CREDENTIALS": _lines(
            f"LoadCredential={name}:{bare(file)}" for name, file in needs.credentials.items()
        ),
    }
    units = bot.places.units
    # The folder and not the file: an editor that saves makes a new file, which a bound file would not become.
    of_settings = (needs.settings.parent, needs.settings.resolve().parent)
    seen = outermost((*installation.folders, *of_settings))
    if bot.name is None:
        values = own | {
            "UNIT": bot.unit,
            "DESCRIPTION": "DiscordianAI, an assistant for Discord",
            "USER": "",
            "STATE": bot.state,
            "FOLDERS": _bound(seen),
        }
        return (UnitFile(units / bot.unit, _render(_template(bot.places), values)),)
    more = () if bot.places.of_user else tuple(path for path in seen if path not in installation.folders)
    values = own | {"NAME": bot.name, "UNIT": SHARED_UNIT, "FOLDERS": _bound(more)}
    drop_in = UnitFile(units / f"{bot.unit}.d" / "bot.conf", _render("bot.conf.in", values))
    return _shared(bot.places, installation), drop_in


def _shared(places: UnitLocations, installation: Installation) -> UnitFile:
    """The template unit that all named bots share."""
    folder = quoted(places.configuration).removesuffix('"')
    values = {
        "UNIT": SHARED_UNIT,
        "DESCRIPTION": "DiscordianAI, an assistant for Discord (%i)",
        "EXEC_START": _exec_start(installation, f'{folder}/%i/settings.toml"'),
        "TIMEOUT_STOP": "60",  # each bot's own is in its drop-in
        "MEMORY_MAX": _memory_max(0),  # and so is this
        "USER": "User=discordianai-%i",
        "CREDENTIALS": "",
        "STATE": "discordianai-%i-state" if places.of_user else "discordianai-%i",
        "FOLDERS": _bound(installation.folders),
    }
    return UnitFile(places.units / SHARED_UNIT, _render(_template(places), values))


def _exec_start(installation: Installation, settings: str) -> str:
    return f"{program(installation.python)} {FLAGS} -m discordianai run --settings {settings}"


def _memory_max(cache_megabytes: float) -> str:
    return f"{MEMORY_MEGABYTES + math.ceil(cache_megabytes)}M"


def _bound(folders: Iterable[Path]) -> str:
    return _lines(f"BindReadOnlyPaths={quoted(folder)}" for folder in folders)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _template(places: UnitLocations) -> str:
    return "discordianai-user.service.in" if places.of_user else "discordianai.service.in"


def _render(template: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders; a line that is nothing but one without a value is left out."""
    text = resources.files("discordianai.operations.units").joinpath(template).read_text(encoding="utf-8")
    lines = (
        _PLACEHOLDER.sub(lambda match: values[match[1]], line)
        for line in text.splitlines()
        if not (whole := _PLACEHOLDER.fullmatch(line)) or values[whole[1]]
    )
    return _lines(lines) + "\n"
