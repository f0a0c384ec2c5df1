"""What the conversation store takes and how long an answer waits for it: `make bench-conversations`.

Memory is measured in processes of their own, against an empty store in the same run, with the reference's
layout beside it. The load of a minute and the table of operations run here.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import trio

from benchmarks import conversations_operations as operations
from benchmarks.conversations_memory import (
    FEW,
    MESSAGES,
    MILLION,
    PEOPLE,
    READS,
    Figures,
    exchange,
    key,
    text,
)
from benchmarks.percentiles import percentile
from discordianai.conversations.sqlite.connections import flush, open_connections, transaction
from discordianai.conversations.sqlite.store import SqliteStore, open_store

RATE = 1000
"""Appends a second."""

WINDOWS = 100
"""Windows read a second beside them."""

EXPIRED = 300_000
"""Turns older than the time to live, so that retention has work for more than a minute."""

DAY = 86_400.0


def in_a_process(way: str, database: Path) -> Figures:
    """See `conversations_memory`."""
    command = [sys.executable, "-m", "benchmarks.conversations_memory", way, str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def row(*cells: str) -> None:
    """One line of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def heading(*cells: str) -> None:
    """The first two."""
    row(*cells)
    row(*["---"] * len(cells))


def memory(folder: Path) -> None:
    """10,000 people with 50 messages each."""
    heading(f"{PEOPLE:,} people x {MESSAGES} messages of 400 characters", "empty", "held", "more", "required")
    ours = in_a_process("store", folder / "ours")
    reference = in_a_process("reference", folder / "none")
    for name, figures, required in (
        ("the reference's layout, a list of dicts for each person", reference, ""),
        (f"this store, {ours['cached']:.1f} MB of it its hot set", ours, "<= 32 MB"),
    ):
        sizes = [figures["empty"], figures["held"], figures["held"] - figures["empty"]]
        row(name, *(f"{size:.1f} MB" for size in sizes), required)
    row("the same, at its most", "", f"{ours['most']:.1f} MB", f"{ours['most'] - ours['empty']:.1f} MB", "")


def million(folder: Path) -> None:
    """A million people with five messages each."""
    database = folder / "million"
    began = time.perf_counter()
    build(database)
    built = time.perf_counter() - began
    size = database.stat().st_size / 2**30
    print(f"\n{MILLION:,} people x {FEW} messages: {size:.1f} GB, built in {built:.0f} s\n")
    paths = (folder / "new", database)
    starts = [[in_a_process("start", path)["started"] for _ in range(5)] for path in paths]
    pages = disk(folder)
    figures = in_a_process("large", database)
    pages += disk(folder)
    heading("figure", "measured", "required")
    row("memory more than an empty store", f"{figures['held'] - figures['empty']:.1f} MB", "<= 32 MB")
    for what, required in (("read", "< 2 ms"), ("append", "< 10 ms")):
        name = f"window read, {READS:,} people at random" if what == "read" else "turn append, with fsync"
        row(f"{name}, p99", f"{figures[f'{what} p99']:.2f} ms", required)
        row(
            f"{name}, p50 and maximum",
            f"{figures[f'{what} p50']:.2f} and {figures[f'{what} max']:.1f} ms",
            "",
        )
    alone = f"{percentile(pages, 0.5):.2f} and {percentile(pages, 0.99):.2f} ms"
    row("a page of 4 KiB, by itself, before and after, p50 and p99", alone, "")
    for name, times in (("an empty", starts[0]), ("this", starts[1])):
        row(f"start with {name} file, median of 5", f"{sorted(times)[2]:.1f} ms", "the same")


def build(database: Path) -> None:
    """Write the tables directly, in the order of their keys, without a thought for safety."""
    connections = open_connections(database)
    writer = connections.writer
    for setting in ("synchronous = OFF", "cache_size = -200000"):
        writer.execute(f"PRAGMA {setting}").fetchall()
    now = time.time()
    for first in range(1, MILLION + 1, 20_000):
        people = range(first, first + 20_000)
        with transaction(writer):
            writer.executemany(
                "INSERT INTO conversations VALUES (?, ?, ?, 0)", ((n, n, key(n).channel_id) for n in people)
            )
            writer.executemany(
                "INSERT INTO participants VALUES (?, ?, ?)", ((n, 1 + n % 50, n) for n in people)
            )
            writer.executemany(
                "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?)",
                (turn_row(n, m, now) for n in people for m in range(FEW)),
            )
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connections.close()


def turn_row(person_id: int, number: int, now: float) -> tuple[int, int, int, str, float, str]:
    """In the order of the table; all were said in the last day."""
    said = now - DAY + (person_id * FEW + number) * DAY / (MILLION * FEW + FEW)
    role = ("user", "assistant")[number % 2]
    words = text(person_id * 10 + number)
    return person_id << 32 | number, person_id, 1 + person_id % 50, role, said, words


class Minute:
    """An open load: everybody asks when they want to, whatever the store is doing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._chance = random.Random(1)
        self.appends: list[float] = []
        self.windows: list[float] = []
        self.longest_log = self.longest_pause = 0.0

    async def run(self, database: Path) -> None:
        """Fill it with what is too old, then ask for a minute."""
        fill_with_expired(database)
        log = database.with_name(database.name + "-wal")
        async with open_store(database) as store, trio.open_nursery() as nursery:
            nursery.start_soon(self._arrive, RATE, self.appends, self._append(store))
            nursery.start_soon(self._arrive, WINDOWS, self.windows, self._read(store))
            end = trio.current_time() + self._seconds
            while trio.current_time() < end:
                self.longest_log = max(self.longest_log, log.stat().st_size / 2**20)
                await trio.sleep(0.05)
            self.longest_pause = store.figures.longest_pause * 1000

    async def _arrive(self, rate: float, times: list[float], call: Callable[[], Awaitable[object]]) -> None:
        """At random moments; a wait counts from the moment at which it was meant to begin."""
        now = trio.current_time()
        end = now + self._seconds

        async def one(planned: float) -> None:
            await call()
            times.append((trio.current_time() - planned) * 1000)

        async with trio.open_nursery() as nursery:
            while (now := now + self._chance.expovariate(rate)) < end:
                await trio.sleep_until(now)
                nursery.start_soon(one, now)

    def _append(self, store: SqliteStore) -> Callable[[], Awaitable[object]]:
        async def append() -> None:
            person_id = self._chance.randint(1, PEOPLE)
            await store.append(key(person_id), exchange(person_id, time.time()), guild_id=1 + person_id % 50)

        return append

    def _read(self, store: SqliteStore) -> Callable[[], Awaitable[object]]:
        return lambda: store.recent(key(self._chance.randint(1, PEOPLE)), MESSAGES)


def fill_with_expired(database: Path) -> None:
    """Conversations that ended before the time to live."""
    connections = open_connections(database)
    long_ago = time.time() - 60 * DAY
    with transaction(connections.writer):
        for number in range(EXPIRED // 10):
            conversation = 1 + number
            connections.writer.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, 0)", (conversation, PEOPLE + conversation, 1)
            )
            connections.writer.executemany(
                "INSERT INTO turns VALUES (?, ?, 1, 'user', ?, ?)",
                ((conversation << 32 | n, PEOPLE + conversation, long_ago, text(n)) for n in range(10)),
            )
    connections.close()


def disk(folder: Path) -> list[float]:
    """What everything here depends on: milliseconds to write a page to the disk, a thousand times."""
    times = []
    with (folder / "page").open("wb", buffering=0) as file:
        for _ in range(1000):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            flush(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return times


def minute(folder: Path, seconds: float) -> None:
    """1000 appends a second while retention runs."""
    load = Minute(seconds)
    pages = disk(folder)
    trio.run(load.run, folder / "minute")
    pages += disk(folder)
    removed = EXPIRED - count_expired(folder / "minute")
    load_is = f"{RATE} appends and {WINDOWS} windows a second for {seconds:.0f} s"
    print(f"\n{load_is}, {removed:,} old turns removed\n")
    heading("an answer waits for", "p50", "p99", "p99.9", "maximum", "required")
    for name, times, required in (
        ("an append, on disk", load.appends, "p99.9 < 50 ms"),
        ("a window", load.windows, "p99.9 < 50 ms"),
        ("a page of 4 KiB, by itself, before and after", pages, ""),
    ):
        shown = [percentile(times, part) for part in (0.5, 0.99, 0.999)]
        row(name, *(f"{value:.1f} ms" for value in (*shown, max(times))), required)
    log = f"the write-ahead log had at most {load.longest_log:.0f} MB"
    print(
        f"\n{len(load.appends):,} appends; {log}, and was begun anew in at most {load.longest_pause:.1f} ms\n"
    )


def count_expired(database: Path) -> int:
    """Turns that retention has left."""
    connections = open_connections(database)
    (left,) = (
        connections.readers[0]
        .execute("SELECT count(*) FROM turns WHERE at < ?", (time.time() - 59 * DAY,))
        .fetchone()
    )
    connections.close()
    return int(left)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million people, too: 3 GB on the disk")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load")
    parser.add_argument("--folder", type=Path, help="where the databases go for the while, on a real disk")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        memory(Path(folder))
        minute(Path(folder), options.seconds)
        operations.table(trio.run(operations.measure, Path(folder)))
        if options.million:
            million(Path(folder))


if __name__ == "__main__":
    main()
