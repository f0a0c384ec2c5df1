"""Database files for the benchmark of the store, written around it, and the disk that they are on."""

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.conversations_process import key, text
from discordianai.conversations.sqlite.connections import flush, open_connections, transaction

_PEOPLE_AT_ONCE = 20_000
"""In one transaction."""


def write(database: Path, people: range, messages: int, at: Callable[[int], float]) -> None:
    """A conversation of so many messages for each person, said `at` a time by their id.

    In the order of the keys and without a thought for safety, since a million people take long otherwise.
    """
    connections = open_connections(database)
    writer = connections.writer
    for setting in ("synchronous = OFF", "cache_size = -200000"):
        writer.execute(f"PRAGMA {setting}").fetchall()
    for first in range(people.start, people.stop, _PEOPLE_AT_ONCE):
        part = range(first, min(first + _PEOPLE_AT_ONCE, people.stop))
        with transaction(writer):
            writer.executemany(
                "INSERT INTO conversations VALUES (?, ?, ?, 0)", ((n, n, key(n).channel_id) for n in part)
            )
            writer.executemany(
                "INSERT INTO participants VALUES (?, ?, ?)", ((n, 1 + n % 50, n) for n in part)
            )
            writer.executemany(
                "INSERT INTO turns (id, person_id, guild_id, role, at, text) VALUES (?, ?, ?, ?, ?, ?)",
                (_turn(n, number, at(n)) for n in part for number in range(messages)),
            )
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connections.close()


def _turn(person_id: int, number: int, at: float) -> tuple[int, int, int, str, float, str]:
    role = ("user", "assistant")[number % 2]
    words = text(person_id * 10 + number)
    return person_id << 32 | number, person_id, 1 + person_id % 50, role, at, words


def count_older(database: Path, at: float) -> int:
    """How many messages were said before `at`."""
    connections = open_connections(database)
    (count,) = connections.readers[0].execute("SELECT count(*) FROM turns WHERE at < ?", (at,)).fetchone()
    connections.close()
    return int(count)


def synced_pages(folder: Path) -> list[float]:
    """What everything here depends on: milliseconds to write a page to the disk, a thousand times."""
    times = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(1000):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            flush(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return times
