"""Each operation of the store beside the same SQLite calls: a part of `conversations`."""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import TypeVar

import trio

from benchmarks.conversations_process import MESSAGES, exchange, key
from benchmarks.harness import Report, alternate
from discordianai.conversations import packing, window
from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import FinishedAnswer, QuestionAndAnswer
from discordianai.conversations.sqlite import questions_table, turns_table, usage_table
from discordianai.conversations.sqlite.connections import connect, transaction
from discordianai.conversations.sqlite.migrations import migrate
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.records import Person, Place, Question, ReplyAddress, Usage
from discordianai.system_clock import ClockReading

PEOPLE = 2000
"""Each is asked for once by each operation in five rounds."""

CALLS, AT_ONCE = 200, 50
"""Of an operation in each round, and of them in the second half of the table."""

MAX_RATIO = 1.5
ERASES = "reset"
"""Ours also overwrites what the rows leave in the files before it ends; the bare calls don't."""

DAY = day_of(time.time())

Operation = Callable[[int], Awaitable[object]]
"""Takes a number; each operation gets the same ones, so that what has to be accepted before has been."""

T = TypeVar("T")


class Bare:
    """The calls of SQLite, each in a thread and, if it writes, in a transaction."""

    def __init__(self, database: Path) -> None:
        self._writer = connect(database, cache_kib=2048)
        migrate(self._writer)
        self._reader = connect(database, cache_kib=1024)
        self._one_writer, self._one_reader = trio.CapacityLimiter(1), trio.CapacityLimiter(1)

    async def read(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Run a read."""
        return await trio.to_thread.run_sync(call, self._reader, limiter=self._one_reader)

    async def write(self, call: Callable[[sqlite3.Connection], object]) -> None:
        """Run a write."""

        def run() -> None:
            with transaction(self._writer):
                call(self._writer)

        await trio.to_thread.run_sync(run, limiter=self._one_writer)

    async def recent(self, number: int) -> None:
        """A window, as turns."""
        packed = await self.read(lambda c: turns_table.read(c, _key(number), MESSAGES))
        window.newest(packing.unpack(packed, MESSAGES), MESSAGES)

    async def answered(self, number: int) -> None:
        """Three writes in one transaction."""
        answer = FinishedAnswer("x" * 400, _said(number), (_charge(number),))
        await self.write(lambda c: questions_table.store_answer(c, number, answer, MESSAGES, time.time()))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()


def operations(
    bare: Bare, cached: SqliteStore, uncached: SqliteStore
) -> dict[str, tuple[Operation, Operation]]:
    """By name, each as bare calls and as the store has it. The order matters: each goes on from the last."""
    return {
        "recent, cached": (bare.recent, lambda n: cached.recent(_key(n), MESSAGES)),
        "recent, not cached": (bare.recent, lambda n: uncached.recent(_key(n), MESSAGES)),
        "append": (
            lambda n: bare.write(lambda c: turns_table.append(c, _said(n), MESSAGES)),
            lambda n: _append(cached, _said(n)),
        ),
        "accept": (
            lambda n: bare.write(lambda c: questions_table.insert(c, _question(n), ClockReading.now())),
            lambda n: cached.accept(_question(n)),
        ),
        "answered": (
            bare.answered,
            lambda n: cached.answered(n, FinishedAnswer("x" * 400, _said(n), (_charge(n),))),
        ),
        "finish": (
            lambda n: bare.write(lambda c: questions_table.erase(c, n, time.time())),
            cached.finish,
        ),
        "spent": (
            lambda n: bare.read(lambda c: usage_table.spent(c, DAY, n % PEOPLE, None)),
            lambda n: cached.spent(DAY, person_id=n % PEOPLE),
        ),
        "reset": (
            lambda n: bare.write(lambda c: turns_table.remove(c, _key(n))),
            lambda n: cached.reset(_key(n)),
        ),
    }


async def _append(store: SqliteStore, said: QuestionAndAnswer) -> None:
    await store.append(said.key, said.turns, guild_id=said.guild_id)


def _key(number: int) -> ConversationKey:
    return key(1 + number % PEOPLE)


def _said(number: int, exchanges: int = 1) -> QuestionAndAnswer:
    turns = [turn for more in range(exchanges) for turn in exchange(number + more, time.time())]
    return QuestionAndAnswer(_key(number), tuple(turns), _key(number).person_id, 1 + number % 50)


def _question(number: int) -> Question:
    person_id = 1 + number % PEOPLE
    address = ReplyAddress(1, number, "t" * 200, key(person_id).channel_id, False, time.time())
    return Question(0, "x" * 400, Person(person_id, "somebody"), Place(address.channel_id, 1), address)


def _charge(number: int) -> Charge:
    return Charge(1 + number % PEOPLE, 1, "openai", "gpt", Usage(500, 300), DAY, 100_000)


async def compare_operations(report: Report, folder: Path, rounds: int) -> None:
    """Print the table: medians, in ms, of an operation at a time, and of each of fifty at a time."""
    bare = Bare(folder / "bare")
    async with (
        open_store(folder / "cached", ConversationOptions(cache_megabytes=64)) as cached,
        open_store(folder / "uncached", ConversationOptions(cache_megabytes=0)) as uncached,
    ):
        for number in range(PEOPLE):
            said = _said(number, MESSAGES // 2)
            await bare.write(partial(turns_table.append, exchange=said, max_turns=MESSAGES))
            await _append(cached, said)
            await _append(uncached, said)
            await cached.recent(_key(number), MESSAGES)
        report.table("operation", "bare", "ours", "ratio", f"bare, {AT_ONCE} at once, each", "ours", "ratio")
        for name, (calls, ours) in operations(bare, cached, uncached).items():
            await _compare(report, name, rounds, calls, ours)
    bare.close()


async def _compare(report: Report, name: str, rounds: int, bare: Operation, ours: Operation) -> None:
    candidates = {"bare": partial(_measure, bare, count(1)), "ours": partial(_measure, ours, count(1))}
    found = await alternate(rounds, candidates)
    cells = []
    for at_once in (0, 1):
        times = [median(both[at_once] for both in found[who]) for who in ("bare", "ours")]
        ratio = times[1] / times[0]
        cells += [f"{times[0]:.3f} ms", f"{times[1]:.3f} ms", f"{ratio:.2f} x"]
        if ratio > MAX_RATIO and name != ERASES:
            report.miss(f"{name}: {ratio:.2f} times as long, required <= {MAX_RATIO}")
    report.row(name, *cells)


async def _measure(call: Operation, numbers: Iterator[int]) -> tuple[float, float]:
    """Milliseconds of a call, one at a time, and then many at once."""
    began = time.perf_counter()
    for number in islice(numbers, CALLS):
        await call(number)
    alone = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(CALLS // AT_ONCE):
        async with trio.open_nursery() as nursery:
            for number in islice(numbers, AT_ONCE):
                nursery.start_soon(call, number)
    return alone * 1000 / CALLS, (time.perf_counter() - began) * 1000 / CALLS
