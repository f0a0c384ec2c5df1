"""`conversations stats`, `export`, `purge` and `who`: what the bot remembers, for its operator."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from discordianai import safe_files
from discordianai.cli import common, move
from discordianai.cli.partial_file import partial_file
from discordianai.conversations.accounting import NANO, Spent, dollars
from discordianai.conversations.opening import open_for_purge, open_for_reading
from discordianai.conversations.operator_port import Inspection, Selection
from discordianai.operations.progress import progress
from discordianai.pseudonyms import Pseudonyms, is_pseudonym
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError

if TYPE_CHECKING:
    from discordianai.cli import Commands

DAY = 86_400.0
"""Seconds."""


def add_to(commands: "Commands") -> None:
    """Declare the commands."""
    group = commands.add_parser(
        "conversations", help="what the bot remembers: stats, export, purge, who, move"
    )
    actions = group.add_subparsers(required=True, metavar="ACTION")

    stats = actions.add_parser("stats", help="how much there is")
    stats.add_argument("--json", action="store_true", help="print JSON")
    common.add_options(stats)
    stats.set_defaults(command=_stats)

    export = actions.add_parser("export", help="write the conversations as JSON Lines, one turn per line")
    export.add_argument("file", type=Path, nargs="?", metavar="FILE", help="instead of stdout")
    export.add_argument("--force", action="store_true", help="overwrite FILE")
    _add_selection(export.add_mutually_exclusive_group())
    common.add_options(export)
    export.set_defaults(command=_export)

    purge = actions.add_parser("purge", help="delete conversations; their cost stays in the totals")
    selection = purge.add_mutually_exclusive_group(required=True)
    _add_selection(selection)
    selection.add_argument("--older-than", type=_days, metavar="DAYS", help="turns before that day")
    selection.add_argument("--all", action="store_true", help="everything")
    purge.add_argument("--yes", action="store_true", help="don't ask for confirmation")
    common.add_options(purge)
    purge.set_defaults(command=_purge)

    who = actions.add_parser(
        "who",
        help="find out whom a pseudonym in the log or in `advise` stands for",
        description="Searches the ids in the database and in the settings, and those given here.",
    )
    who.add_argument(
        "name",
        type=_name,
        metavar="NAME",
        help="as in the log (id-1a2b3c4d5e6f); or an id, to see its pseudonym",
    )
    who.add_argument("ids", type=_id, nargs="*", metavar="ID", help="ids of people or servers to try")
    common.add_options(who)
    who.set_defaults(command=_who)

    move.add_to(actions)


def _add_selection(group: "argparse._MutuallyExclusiveGroup") -> None:
    group.add_argument("--person", type=_id, metavar="ID", help="what this person said and was answered")
    group.add_argument("--server", type=_id, metavar="ID", help="turns in this server")
    group.add_argument("--channel", type=_id, metavar="ID", help="turns in this channel or thread")


def _id(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number < 2**63:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an id; turn on Discord's developer mode to copy ids"
        )
    return number


def _name(text: str) -> str | int:
    """A pseudonym, or an id."""
    return text if is_pseudonym(text) else _id(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return days


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(person_id=options.person, guild_id=options.server, channel_id=options.channel)


def _stats(options: argparse.Namespace) -> int:
    location = common.named(options)
    with open_for_reading(location) as database:
        figures = database.inspect(time.time())
        bot_running = database.bot_is_running()
        if not options.json:
            common.tell(database.remarks())
    if options.json:
        shown = {"database": str(location), "bot_running": bot_running, **_for_machines(figures)}
        _write([json.dumps(shown)], sys.stdout.buffer)
    else:
        _write([f"{name:16}{value}" for name, value in _for_people(figures).items()], sys.stdout.buffer)
    return 0


def _for_machines(figures: Inspection) -> dict[str, object]:
    """Money in dollars, times as in ISO 8601."""
    shown = asdict(figures)
    for name in ("oldest", "newest"):
        shown[name] = _moment(shown[name]).isoformat() if shown[name] is not None else None
    for name in ("today", "month"):
        shown[name]["cost"] /= NANO
    return shown


def _for_people(figures: Inspection) -> dict[str, str]:
    return {
        "conversations": f"{figures.conversations:,}",
        "turns": f"{figures.turns:,}",
        "people": f"{figures.people:,}",
        "servers": f"{figures.servers:,}",
        "oldest turn": _minute(figures.oldest),
        "newest turn": _minute(figures.newest),
        "open questions": f"{figures.open_questions:,}",
        **_sizes(figures),
        "today": _spent(figures.today),
        "this month": _spent(figures.month),
    }


def _sizes(figures: Inspection) -> dict[str, str]:
    if figures.free_bytes is None or figures.log_bytes is None:
        return {"tables": _megabytes(figures.file_bytes)}
    free = _megabytes(figures.free_bytes)
    return {
        "file": f"{_megabytes(figures.file_bytes)}, of which {free} free",
        "log": _megabytes(figures.log_bytes),
    }


def _spent(spent: Spent) -> str:
    unpriced = f", {common.amount(spent.unpriced, 'answer')} without a price" if spent.unpriced else ""
    return (
        f"{common.amount(spent.answers, 'answer')}, {common.amount(spent.tokens, 'token')},"
        f" cost {dollars(spent.cost)}{unpriced}"
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _minute(at: float | None) -> str:
    return f"{_moment(at):%Y-%m-%d %H:%M} UTC" if at is not None else "none"


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


def _export(options: argparse.Namespace) -> int:
    location = common.named(options)
    with (
        common.stoppable(),
        _output(options.file, overwrite=options.force) as out,  # root writes it as itself
        open_for_reading(location) as database,
        progress("exporting") as report,
    ):
        lines = _write(database.exported(_selection(options), report), out)
    common.say(f"{common.amount(lines, 'line')} exported")
    return 0


@contextmanager
def _output(file: Path | None, *, overwrite: bool) -> Iterator[BinaryIO]:
    if file is None:
        yield sys.stdout.buffer
        return
    with partial_file(file, overwrite=overwrite) as partial:
        descriptor = safe_files.open_existing(partial, os.O_WRONLY, mine=True)
        with os.fdopen(descriptor, "wb") as out:
            yield out


def _write(lines: Iterable[str], out: BinaryIO) -> int:
    """Write the lines in UTF-8, whatever the terminal's encoding, and return their number."""
    number = 0
    for line in lines:
        out.write(line.encode() + b"\n")
        number += 1
    out.flush()
    return number


def _who(options: argparse.Namespace) -> int:
    location, name = common.named(options), options.name
    with open_for_reading(location) as database:
        key, known = database.identifier_key(), set(database.known_ids())
    if key is None:
        common.say(
            f"the database {location} has no key for pseudonyms yet: no bot has used it since the upgrade"
        )
        return 1
    pseudonyms = Pseudonyms(key)
    if isinstance(name, int):
        _write([pseudonyms.of(name)], sys.stdout.buffer)
        return 0
    known |= {("id", number) for number in (*options.ids, *_ids_in_settings(options))}
    found = sorted((kind, number) for kind, number in known if pseudonyms.of(number) == name)
    if not found:
        common.say(f"no known id has the pseudonym {name}; give more ids to try")
        return 1
    _write([f"{kind} {number}" for kind, number in found], sys.stdout.buffer)
    return 0


def _ids_in_settings(options: argparse.Namespace) -> Iterator[int]:
    """Who is refused is often on one of its lists."""
    with suppress(SettingsError):
        discord = settings_file.load_without_secrets(options.settings).discord
        for name, value in asdict(discord).items():
            if name.endswith("_ids"):
                yield from value


def _purge(options: argparse.Namespace) -> int:
    location = common.named(options)
    selection = _selection(options)
    if options.older_than is not None:
        selection = Selection(before=time.time() - options.older_than * DAY)
    with open_for_reading(location) as database:
        turns = database.count(selection)
        common.tell(database.remarks())
    common.say(f"{common.amount(turns, 'turn')} will be deleted permanently")
    if not (options.yes or _confirmed()):
        common.say("nothing was deleted")
        return 1
    with common.stoppable(), ExitStack() as stack:
        with progress("bringing the database up to date") as report:
            purge = stack.enter_context(open_for_purge(location, lambda _schema: report(0, 0)))
        with progress("removing") as report:
            removed = purge.remove(selection, turns, report)
        common.say(f"{common.amount(removed, 'turn')} removed")
        with progress("freeing the space") as report:
            purge.shrink(report)
        if left := purge.finish():
            common.say(left)
    return 0


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        common.say("there is no terminal to ask on; confirm with --yes")
        return False
    common.say("Continue? (yes/no)")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
