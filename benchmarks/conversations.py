"""What does the conversation store take, and how long does an answer wait for it?  `make bench-conversations`

Four tables: memory with 10,000 people, waits under a load while retention removes old messages, the time of
each operation, and, with `--million`, the file of a million people.
Compared to: an empty store, in a process of its own as the full one is; the start with an empty file; a page
of 4 KiB that is written and synced; and the same SQLite calls without the store, in turn.
Required: at most 32 MB more than empty; under load 50 ms at p99.9; an operation at most 1.5 times as long as
its SQLite calls, but for a reset, which erases; at p99 2 ms for a window out of the large file, and 10 ms for
an append to it.
"""

import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import trio

from benchmarks import conversations_files as files
from benchmarks.conversations_operations import compare_operations
from benchmarks.conversations_process import MESSAGES, Figures, exchange, key
from benchmarks.harness import Report, alternate, command_line, parse, percentile
from benchmarks.processes import open_program
from discordianai.cli.run import SWITCH_INTERVAL
from discordianai.conversations.sqlite.store import SqliteStore, open_store

APPENDS_PER_SECOND, WINDOWS_PER_SECOND = 1000, 100
FEW = 5
"""Messages of each of a million people."""

EXPIRED_MESSAGES = 10
"""Of each person whose messages are older than the time to live."""

DAY = 86_400.0


async def in_a_process(way: str, database: Path, people: int) -> Figures:
    """See `conversations_process`."""
    async with open_program("benchmarks.conversations_process", way, database, people) as program:
        figures: Figures = json.loads(await program.line())
        return figures


async def memory(report: Report, folder: Path, people: int) -> None:
    """Everybody's window is full, and was read."""
    figures = await in_a_process("hold", folder / "memory", people)
    more, most = (figures[part] - figures["empty"] for part in ("held", "most"))
    report.table(f"{people:,} people x {MESSAGES} messages of 400 characters", "measured", "required")
    report.figure("memory of an empty store", figures["empty"], "{:.1f} MB")
    cached = f"more with all of them, {figures['cached']:.1f} MB of it cached"
    report.figure(cached, more, "{:.1f} MB", "<= 32 MB")
    report.figure("more at its most", most, "{:.1f} MB")


@dataclass(slots=True)
class Load:
    """An open load: everybody asks when they want to, whatever the store is doing. Times are in ms."""

    seconds: float
    people: int
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    appends: list[float] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)
    max_log_mb: float = 0.0
    max_pause: float = 0.0

    async def run(self, database: Path) -> None:
        """Ask for so long, and watch the write-ahead log."""
        log = database.with_name(database.name + "-wal")
        async with open_store(database) as store, trio.open_nursery() as nursery:
            nursery.start_soon(self._arrive, APPENDS_PER_SECOND, self.appends, partial(self._append, store))
            nursery.start_soon(self._arrive, WINDOWS_PER_SECOND, self.windows, partial(self._read, store))
            end = trio.current_time() + self.seconds
            while trio.current_time() < end:
                self.max_log_mb = max(self.max_log_mb, log.stat().st_size / 2**20)
                await trio.sleep(0.05)
            self.max_pause = (store.figures.longest_pause or 0.0) * 1000

    async def _arrive(self, rate: float, times: list[float], call: Callable[[], Awaitable[object]]) -> None:
        """At random moments; a wait counts from the moment at which it was meant to begin."""
        now = trio.current_time()
        end = now + self.seconds

        async def one(planned: float) -> None:
            await call()
            times.append((trio.current_time() - planned) * 1000)

        async with trio.open_nursery() as nursery:
            while (now := now + self.chance.expovariate(rate)) < end:
                await trio.sleep_until(now)
                nursery.start_soon(one, now)

    async def _append(self, store: SqliteStore) -> None:
        person_id = self.chance.randint(1, self.people)
        await store.append(key(person_id), exchange(person_id, time.time()), guild_id=1 + person_id % 50)

    async def _read(self, store: SqliteStore) -> None:
        await store.recent(key(self.chance.randint(1, self.people)), MESSAGES)


async def under_load(report: Report, folder: Path, people: int, seconds: float) -> None:
    """1000 appends a second while retention has work for more than a minute."""
    database, load = folder / "load", Load(seconds, people)
    long_ago = time.time() - 60 * DAY
    files.write(database, range(people + 1, 4 * people + 1), EXPIRED_MESSAGES, lambda _person: long_ago)
    await erase_residues(database)
    pages = files.synced_pages(folder)
    await load.run(database)
    pages += files.synced_pages(folder)
    removed = 3 * people * EXPIRED_MESSAGES - files.count_older(database, long_ago + DAY)
    report.table("an answer waits for", "p50", "p99", "p99.9", "maximum", "required")
    for name, times, required in (
        ("an append, on disk", load.appends, "< 50 ms at p99.9"),
        ("a window", load.windows, "< 50 ms at p99.9"),
        ("a page of 4 KiB, by itself, before and after", pages, ""),
    ):
        parts = [percentile(times, part) for part in (0.5, 0.99, 0.999, 1)]
        report.row(name, *(f"{part:.1f} ms" for part in parts), required=required, measured=parts[2])
    report.note(
        f"{APPENDS_PER_SECOND} appends and {WINDOWS_PER_SECOND} windows a second for {seconds:.0f} s, while "
        f"{removed:,} old messages were removed. The write-ahead log had at most {load.max_log_mb:.0f} MB, "
        f"and was begun anew in at most {load.max_pause:.1f} ms."
    )


async def erase_residues(database: Path) -> None:
    """Leave it as a bot does that has run before: the first one has the whole file to overwrite."""
    async with open_store(database) as store:
        erased = False
        while not erased:
            await store.append(key(0), exchange(0, time.time()))
            erased = (await store.reset(key(0))).erased or False


async def large_file(report: Report, folder: Path, people: int) -> None:
    """What it takes to open it, to read from it and to append."""
    database, empty = folder / "large", folder / "empty"
    yesterday = time.time() - DAY
    files.write(database, range(1, people + 1), FEW, lambda person_id: yesterday + person_id * DAY / people)
    starts = await alternate(
        5, {path.name: partial(in_a_process, "start", path, people) for path in (empty, database)}
    )
    figures = await in_a_process("read", database, people)
    size = f"{database.stat().st_size / 2**30:.1f} GB"
    report.table(f"{people:,} people x {FEW} messages, {size}", "measured", "required")
    more = figures["held"] - figures["empty"]
    report.figure("memory more than an empty store", more, "{:.1f} MB", "<= 32 MB")
    for what, name, required in (
        ("read", "a window, of people at random", "< 2 ms"),
        ("append", "an append, with fsync", "< 10 ms"),
    ):
        report.figure(f"{name}, p99", figures[f"{what} p99"], "{:.2f} ms", required)
        p50, most = figures[f"{what} p50"], figures[f"{what} max"]
        report.row(f"{name}, p50 and maximum", f"{p50:.2f} and {most:.1f} ms")
    for path in (empty, database):
        started = median(one["started"] for one in starts[path.name])
        report.figure(f"start with the {path.name} file, median of 5", started, "{:.1f} ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=5)
    parser.add_argument("--million", action="store_true", help="a million people, too: 3 GB on the disk")
    parser.add_argument("--seconds", type=float, help="of the load (60)")
    parser.add_argument("--folder", type=Path, help="where the databases go for the while, on a real disk")
    options = parse(parser, arguments)
    report = Report()
    people = 500 if options.quick else 10_000
    seconds = options.seconds or (2.0 if options.quick else 60.0)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        sys.setswitchinterval(SWITCH_INTERVAL)  # both as the bot does
        gc.freeze()
        trio.run(memory, report, folder, people)
        trio.run(under_load, report, folder, people, seconds)
        trio.run(compare_operations, report, folder, options.rounds)
        if options.million:
            trio.run(large_file, report, folder, 20_000 if options.quick else 1_000_000)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
