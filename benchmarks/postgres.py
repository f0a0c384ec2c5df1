"""What does the store on PostgreSQL take?  `make bench-postgres`

Three tables, on a cluster of its own with fsync: the CPU of a question on PostgreSQL and on SQLite, in turn;
how soon 500 commands of one moment are acknowledged, in turn; and what a million people's messages cost a
read, an append and a start.
Compared to: SQLite on the same disk, and the start with empty tables.
Required: at most 2 ms more CPU of the bot for a question; acknowledged within 1.3 times SQLite's time at p99;
at p99 5 ms for a window among all those messages, and 10 ms for an append to them; a start that takes no
longer than with empty tables.
"""

import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import psycopg
import trio
from pydantic import SecretStr

from benchmarks.answers import UNLIMITED
from benchmarks.conversations_process import exchange, key
from benchmarks.discord import ALL_ANSWERED, Crowd
from benchmarks.discord import ask as crowd_asks
from benchmarks.harness import Report, alternate, command_line, parse, percentile
from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import FinishedAnswer, Posted, QuestionAndAnswer
from discordianai.conversations.store import Store
from discordianai.records import Person, Place, Question, ReplyAddress, Usage
from discordianai.sandbox.launcher import BotDatabase
from discordianai.sandbox.postgres_cluster import Cluster, ClusterOptions, open_cluster

PEOPLE = 200
"""Who ask in the comparison: their windows are full."""

QUESTIONS, AT_ONCE = 60, 120

WINDOW = 50

FEW = 5
"""Messages of each of a million people."""

DAY = 86_400.0

Open = Callable[[], AbstractAsyncContextManager[Store]]


def on_server(cluster: Cluster, database: str) -> Open:
    """The store in that database."""
    options = ConversationOptions(
        database=cluster.url_of(database), database_password=SecretStr(cluster.password)
    )
    return lambda: open_store(options)


async def ask(store: Store, number: int) -> None:
    """What a question costs the store, from accepted to finished."""
    person_id = 1 + number % PEOPLE
    where = key(person_id)
    address = ReplyAddress(1, number, "t" * 200, where.channel_id, False, time.time())
    asked = Question(0, "x" * 400, Person(person_id, "somebody"), Place(where.channel_id, 1), address)
    charge = Charge(person_id, 1, "openai", "gpt", Usage(500, 300), day_of(time.time()), 100_000)
    said = QuestionAndAnswer(where, exchange(person_id, time.time()), person_id, 1)
    await store.accept(asked)
    await store.recent(where, WINDOW)
    await store.note_posted(number, Posted(further_ids=(number,)), "x" * 200)
    await store.answered(number, FinishedAnswer("x" * 400, said, (charge,)))
    await store.finish(number)


@dataclass(slots=True)
class Asking:
    """A store, and the numbers of its questions. Times are in ms of each question."""

    store: Store
    number: int = 0

    async def one_by_one(self) -> tuple[float, float]:
        """CPU of this process and time, where each call has a transaction of its own."""
        cpu, began = _cpu(), time.perf_counter()
        for _ in range(QUESTIONS):
            self.number += 1
            await ask(self.store, self.number)
        seconds = time.perf_counter() - began
        return (_cpu() - cpu) / QUESTIONS * 1000, seconds / QUESTIONS * 1000

    async def together(self) -> tuple[float, float]:
        """The same, where many share a transaction."""
        cpu, began = _cpu(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                self.number += 1
                nursery.start_soon(ask, self.store, self.number)
        seconds = time.perf_counter() - began
        return (_cpu() - cpu) / AT_ONCE * 1000, seconds / AT_ONCE * 1000


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def question(report: Report, cluster: Cluster, folder: Path, rounds: int) -> None:
    """Print the table of the CPU."""
    file = ConversationOptions(database=str(folder / "questions"))
    async with open_store(file) as sqlite, on_server(cluster, "discordianai")() as postgres:
        asking = {"SQLite": Asking(sqlite), "PostgreSQL": Asking(postgres)}
        for each in asking.values():
            for person_id in range(1, PEOPLE + 1):
                turns = [turn for _ in range(WINDOW // 2) for turn in exchange(person_id, time.time())]
                await each.store.append(key(person_id), turns, guild_id=1)
            await each.one_by_one()
        report.table(
            "accept, recent, note_posted, answered, finish", "SQLite", "PostgreSQL", "more", "required"
        )
        for name, way, required in (
            ("CPU of the bot, one question at a time", Asking.one_by_one, "<= 2 ms more"),
            (f"CPU of the bot, {AT_ONCE} at once, each", Asking.together, ""),
        ):
            found = await alternate(rounds, {who: partial(way, each) for who, each in asking.items()})
            cpu = {who: median(one[0] for one in times) for who, times in found.items()}
            more = cpu["PostgreSQL"] - cpu["SQLite"]
            report.row(
                name,
                *(f"{cpu[who]:.2f} ms" for who in asking),
                f"{more:.2f} ms",
                required=required,
                measured=more,
            )
            took = {who: median(one[1] for one in times) for who, times in found.items()}
            report.row("time, with fsync", *(f"{took[who]:.2f} ms" for who in asking), "")


async def burst(report: Report, cluster: Cluster, people: int, rounds: int) -> None:
    """Print the table of a crowd that asks in one moment."""
    names = iter(f"burst_{number}" for number in range(rounds))

    async def on_postgres() -> Crowd:
        name = next(names)
        await trio.to_thread.run_sync(cluster.create_database, name)
        database = BotDatabase(cluster.url_of(name), cluster.password)
        return await crowd_asks(people, ALL_ANSWERED, UNLIMITED, database)

    async def on_sqlite() -> Crowd:
        return await crowd_asks(people, ALL_ANSWERED, UNLIMITED)

    found = await alternate(rounds, {"SQLite": on_sqlite, "PostgreSQL": on_postgres})
    report.table(f"{people} commands in one moment", *found, "ratio", "required")
    for part, name, required in ((0.5, "p50", ""), (0.99, "p99", "<= 1.3")):
        waits = {who: median(percentile(one.waits, part) for one in runs) for who, runs in found.items()}
        ratio = waits["PostgreSQL"] / waits["SQLite"]
        times = (f"{wait:.2f} s" for wait in waits.values())
        report.row(f"acknowledged, {name}", *times, f"{ratio:.2f}", required=required, measured=ratio)
    lost = (str(sum(one.waits.count(math.inf) for one in runs)) for runs in found.values())
    report.row("not acknowledged", *lost, "")
    unprotected = (str(sum(one.unprotected for one in runs)) for runs in found.values())
    report.row("unprotected against a crash", *unprotected, "")
    report.row(
        "answered whole, and once", *(str(sum(one.answered for one in runs)) for runs in found.values()), ""
    )


def load(cluster: Cluster, database: str, people: int) -> None:
    """`FEW` messages of each, the newest of yesterday, in the order in which they were said."""
    yesterday, text = time.time() - DAY, "x" * 400
    with psycopg.connect(cluster.url_of(database), password=cluster.password) as connection:
        with connection.cursor().copy(
            "COPY turns (conversation_person_id, conversation_channel_id, person_id, guild_id, at, private,"
            " role, text, attachments) FROM STDIN"
        ) as copy:
            for number in range(FEW):
                rest = f"{yesterday + number}\tf\t{'assistant' if number % 2 else 'user'}\t{text}\t\n"
                for first in range(1, people + 1, 1000):
                    copy.write(
                        "".join(
                            f"{whose}\t{key(whose).channel_id}\t{whose}\t{whose % 50 + 1}\t{rest}"
                            for whose in range(first, min(first + 1000, people + 1))
                        )
                    )
        connection.execute("ANALYZE turns")


async def started(opened: Open) -> float:
    """Milliseconds from nothing to a store that answers."""
    began = time.perf_counter()
    async with opened() as store:
        await store.recent(key(1), WINDOW)
        return (time.perf_counter() - began) * 1000


async def large(report: Report, cluster: Cluster, people: int, calls: int) -> None:
    """Print the table of a million people."""
    for name in ("empty", "large"):
        cluster.create_database(name)
        await started(on_server(cluster, name))
    await trio.to_thread.run_sync(load, cluster, "large", people)
    starts = await alternate(
        5, {name: partial(started, on_server(cluster, name)) for name in ("empty", "large")}
    )
    chance = random.Random(1)
    windows, appends = [], []
    async with on_server(cluster, "large")() as store:
        for _ in range(calls):
            whose = key(chance.randint(1, people))
            began = time.perf_counter()
            turns = await store.recent(whose, WINDOW)
            windows.append((time.perf_counter() - began) * 1000)
            if not turns:
                report.miss("a window was empty")
            began = time.perf_counter()
            await store.append(whose, exchange(whose.person_id, time.time()), guild_id=1)
            appends.append((time.perf_counter() - began) * 1000)
    size = int(cluster.sql("SELECT pg_database_size('large')", "large")) / 2**30
    report.table(f"{people:,} people x {FEW} messages, {size:.1f} GB", "p50", "p99", "maximum", "required")
    for what, times, required in (
        ("a window, of people at random (required at p99)", windows, "< 5 ms"),
        ("an append, with fsync", appends, "< 10 ms"),
    ):
        parts = [percentile(times, part) for part in (0.5, 0.99, 1)]
        report.row(what, *(f"{part:.2f} ms" for part in parts), required=required, measured=parts[1])
    empty, full = (median(starts[name]) for name in ("empty", "large"))
    report.row("start with empty tables, median of 5", f"{empty:.0f} ms")
    report.row("start with all of them", f"{full:.0f} ms")
    if full > 1.5 * empty + 20:
        report.miss(f"a start takes {full:.0f} ms with all of them, and {empty:.0f} ms with none")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=9)
    parser.add_argument("--folder", type=Path, help="where SQLite's file goes for the while, on a real disk")
    options = parse(parser, arguments)
    report = Report()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, open_cluster(ClusterOptions()) as cluster:
        trio.run(question, report, cluster, Path(name), options.rounds)
        trio.run(burst, report, cluster, 20 if options.quick else 500, min(options.rounds, 3))
        people, calls = (20_000, 300) if options.quick else (1_000_000, 3000)
        trio.run(large, report, cluster, people, calls)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
