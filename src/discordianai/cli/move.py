"""`conversations move`: everything that is stored into a database of the other kind."""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from discordianai.cli import common
from discordianai.conversations.database_url import PASSWORD_CREDENTIAL, PASSWORD_VARIABLE
from discordianai.conversations.operator_port import Location
from discordianai.conversations.store import StoreError
from discordianai.operations.progress import progress
from discordianai.settings.toml_text import to_toml

if TYPE_CHECKING:
    from discordianai.cli import Commands
    from discordianai.conversations.moving.move import Move, MovedTable

SHOWN = 16
"""Digits of a hash: both ends have all of them in common."""

GOES_ON = "what has been moved until now stays in it; the same command goes on from there"


def add_to(actions: "Commands") -> None:
    """Declare the command."""
    move = actions.add_parser(
        "move",
        help="move everything from a file into PostgreSQL, or back",
        description="Copies everything into a new database, and compares both. The old one stays as it is. No"
        " bot may run meanwhile. May be stopped at any point: the same command goes on from there.",
    )
    move.add_argument(
        "--to", required=True, metavar="DATABASE", help="a file, or postgresql://user@host/database"
    )
    move.add_argument("--from", dest="origin", metavar="DATABASE", help="instead of the one in the settings")
    move.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    move.set_defaults(command=_move)


def _move(options: argparse.Namespace) -> int:
    # Imported here, as each of the other commands would wait for it.
    from discordianai.conversations.moving.move import Move
    from discordianai.conversations.opening import open_for_move

    destination = common.location(options, options.to)
    origin = common.location(options, options.origin) if options.origin else common.of_settings(options)
    began = time.monotonic()
    with _going_on() as ending, common.stoppable(), open_for_move(origin, destination) as (source, target):
        move = Move(source, target)
        common.say(f"{source.label} -> {target.label}: {common.amount(move.total, 'row')}")
        done = "moved already; compared" if target.is_complete else "moved and compared"
        if target.is_complete:
            moved = _compare(move, target.label)
        else:
            ending.advice = GOES_ON
            _copy(move)
            with progress("comparing") as report:
                moved = move.verify(report)
            source.refuse_changes()
            target.finish()
    _tell(moved, done, time.monotonic() - began)
    _tell_what_next(origin, destination)
    return 0


def _compare(move: "Move", target: str) -> Sequence["MovedTable"]:
    """Repeated after its end, the command changes nothing."""
    try:
        with progress("comparing") as report:
            return move.verify(report)
    except StoreError as error:
        raise StoreError(
            f"{target} has conversations already, and is not changed: {error}; name a new one with --to"
        ) from None


def _copy(move: "Move") -> None:
    with progress("moving") as report:
        move.copy(report)
    if move.resumed:
        common.say(f"{common.amount(move.resumed, 'row')} had been moved before, and are still the same")


@dataclass(slots=True)
class _Ending:
    """What is told where the command ends early."""

    advice: str = ""


@contextmanager
def _going_on() -> Iterator[_Ending]:
    """Around all of it, since the ends put the errors of their engines into words."""
    ending = _Ending()
    try:
        yield ending
    except KeyboardInterrupt:
        if ending.advice:
            common.say(ending.advice)
        raise
    except StoreError as error:
        if not ending.advice:
            raise
        raise StoreError(f"{error}; {ending.advice}") from None


def _tell(moved: Sequence["MovedTable"], done: str, seconds: float) -> None:
    common.say(f"{done} in {seconds:.0f} s; the same at both ends:")
    for table in moved:
        common.say(f"  {table.name:12}{table.rows:>14,} rows  sha256 {table.sha256[:SHOWN]}")


def _tell_what_next(origin: Location, destination: Location) -> None:
    new, old = _name(destination), _name(origin)
    common.say(
        f"\nPut this into settings.toml, then start the bot:\n\n[conversations]\ndatabase = {to_toml(new)}"
    )
    if not isinstance(destination, Path):
        common.say(
            f"\nThe password goes into the credential {PASSWORD_CREDENTIAL}, into {PASSWORD_VARIABLE} in the"
            " bot's environment, or into ~/.pgpass."
        )
    common.say(
        f"\n{old} is as it was. To go back to it, put its name there again; what the bot stores from now on"
        " is not in it. To take that along:\n\n"
        f"discordianai conversations move --from {quote(new)} --to {_somewhere_else(origin)}"
    )


def _name(location: Location) -> str:
    return str(location) if isinstance(location, Path) else location.url.text


def _somewhere_else(former: Location) -> str:
    """A place of the former kind."""
    if isinstance(former, Path):
        return quote(str(former.with_name(f"{former.stem}-2{former.suffix}")))
    return "postgresql://USER@HOST/NEW_DATABASE"
