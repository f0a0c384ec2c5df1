"""Figures about a database, for its operator."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from discordianai.conversations.accounting import Spent, day_of
from discordianai.conversations.sqlite import usage_table

_COUNTS = {
    "conversations": "SELECT count(*) FROM conversations",
    "turns": "SELECT count(*) FROM turns",
    # Subqueries in the order of an index, where count(DISTINCT ...) would sort everything.
    "people": "SELECT count(*) FROM (SELECT DISTINCT person_id FROM participants WHERE person_id <> 0)",
    "servers": "SELECT count(*) FROM (SELECT DISTINCT guild_id FROM participants WHERE guild_id <> 0)",
    "open_questions": "SELECT count(*) FROM questions WHERE state < 2",
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """`oldest` and `newest` are the times of turns, in seconds since the epoch; sizes are in bytes.

    `people` and `servers` are those with a part in a remembered conversation; a person's words may have
    rolled out of it. `month` is since the first of the month, in UTC.
    """

    conversations: int
    turns: int
    people: int
    servers: int
    open_questions: int
    oldest: float | None
    newest: float | None
    file_bytes: int
    free_bytes: int
    log_bytes: int
    today: Spent
    month: Spent


def inspect(connection: sqlite3.Connection, database: Path, now: float) -> Inspection:
    """Count everything. A million conversations take a second or two."""
    counts = {name: _number(connection, select) for name, select in _COUNTS.items()}
    oldest, newest = (
        connection.execute(f"SELECT {which}(at) FROM turns").fetchone()[0]  # noqa: S608  # our own words
        for which in ("min", "max")
    )
    log = database.with_name(database.name + "-wal")
    today = day_of(now)
    return Inspection(
        **counts,
        oldest=oldest,
        newest=newest,
        file_bytes=database.stat().st_size,
        free_bytes=_number(connection, "PRAGMA freelist_count") * _number(connection, "PRAGMA page_size"),
        log_bytes=log.stat().st_size if log.exists() else 0,
        today=_sum(connection, today),
        month=_sum(connection, f"{today[:8]}01"),
    )


def _number(connection: sqlite3.Connection, select: str) -> int:
    return int(connection.execute(select).fetchone()[0])


def _sum(connection: sqlite3.Connection, first_day: str) -> Spent:
    total = Spent()
    for line in usage_table.spending(connection, first_day, None, None):
        total = total.with_sum(line.spent)
    return total
