"""Each operation of the store beside the same SQLite calls through `trio.to_thread`, in turn: a part of
`make bench-conversations`."""

import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from benchmarks.conversations_memory import exchange, key
from discordianai.conversations import packing, questions_table, turns_table, usage_table, window
from discordianai.conversations.accounting import Charge, Spent, day_of
from discordianai.conversations.connections import connect, transaction
from discordianai.conversations.keys import ConversationKey
from discordianai.conversations.migrations import migrate
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending import Answer, Exchange
from discordianai.conversations.sqlite import SqliteStore, open_store
from discordianai.model import Person, Place, Question, ReplyAddress, Usage

PEOPLE, WINDOW = 2000, 50
"""Each of the people is asked for once by each operation."""

DAY = day_of(time.time())


class Bare:
    """The same tables and statements, each operation in a thread and, if it writes, in a transaction."""

    def __init__(self, database: Path) -> None:
        self._writer = connect(database, cache_kib=2048)
        migrate(self._writer)
        self._reader = connect(database, cache_kib=1024)
        self._one_write = trio.CapacityLimiter(1)
        self._one_read = trio.CapacityLimiter(1)

    async def _read(self, call: Callable[[sqlite3.Connection], object]) -> object:
        return await trio.to_thread.run_sync(call, self._reader, limiter=self._one_read)

    async def _write(self, call: Callable[[sqlite3.Connection], object]) -> None:
        def run() -> None:
            with transaction(self._writer):
                call(self._writer)

        await trio.to_thread.run_sync(run, limiter=self._one_write)

    async def fill(self, exchange: Exchange) -> None:
        await self._write(lambda c: turns_table.append(c, exchange, WINDOW))

    async def recent(self, number: int) -> None:
        packed = await self._read(lambda c: turns_table.read(c, of(number), WINDOW))
        assert isinstance(packed, bytes)
        window.newest(packing.unpack(packed, WINDOW), WINDOW)

    async def append(self, number: int) -> None:
        await self._write(lambda c: turns_table.append(c, said(number), WINDOW))

    async def accept(self, number: int) -> None:
        await self._write(lambda c: questions_table.insert(c, question(number)))

    async def answered(self, number: int) -> None:
        def call(connection: sqlite3.Connection) -> None:
            questions_table.mark_answered(connection, number, "x" * 400, time.time())
            usage_table.add(connection, charge(number))
            turns_table.append(connection, said(number), WINDOW)

        await self._write(call)

    async def finish(self, number: int) -> None:
        await self._write(lambda c: questions_table.erase(c, number, time.time()))

    async def spent(self, number: int) -> None:
        spent = await self._read(lambda c: usage_table.spent(c, DAY, number % PEOPLE, None))
        assert isinstance(spent, Spent)

    async def reset(self, number: int) -> None:
        await self._write(lambda c: turns_table.remove(c, of(number)))

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class Ours:
    """The store, under the same names."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def fill(self, exchange: Exchange) -> None:
        await self._store.append(exchange.key, exchange.turns, guild_id=exchange.guild_id)

    async def recent(self, number: int) -> None:
        await self._store.recent(of(number), WINDOW)

    async def append(self, number: int) -> None:
        await self.fill(said(number))

    async def accept(self, number: int) -> None:
        await self._store.accept(question(number))

    async def answered(self, number: int) -> None:
        await self._store.answered(number, Answer("x" * 400, said(number), (charge(number),)))

    async def finish(self, number: int) -> None:
        await self._store.finish(number)

    async def spent(self, number: int) -> None:
        await self._store.spent(DAY, person_id=number % PEOPLE)

    async def reset(self, number: int) -> None:
        await self._store.reset(of(number))


def of(number: int) -> ConversationKey:
    """The conversation of one of the people."""
    return key(1 + number % PEOPLE)


def said(number: int, exchanges: int = 1) -> Exchange:
    """Questions and answers of one of the people."""
    turns = [turn for more in range(exchanges) for turn in exchange(number + more, time.time())]
    return Exchange(of(number), tuple(turns), of(number).person_id, 1 + number % 50)


def question(number: int) -> Question:
    """Of 400 characters."""
    person_id = 1 + number % PEOPLE
    address = ReplyAddress(1, number, "t" * 200, key(person_id).channel_id, False, time.time())
    return Question(0, "x" * 400, Person(person_id, "somebody"), Place(address.channel_id, 1), address)


def charge(number: int) -> Charge:
    """What it cost."""
    return Charge(1 + number % PEOPLE, 1, "openai", "gpt", Usage(500, 300), DAY, 100_000)


@dataclass(frozen=True, slots=True)
class Line:
    """An operation: milliseconds for one at a time, and for each of fifty at a time."""

    name: str
    bare: tuple[float, float]
    ours: tuple[float, float]


@asynccontextmanager
async def _opened(folder: Path, name: str, cache_bytes: int) -> AsyncIterator[Ours]:
    async with open_store(folder / name, ConversationOptions(cache_megabytes=cache_bytes / 2**20)) as store:
        yield Ours(store)


async def measure(folder: Path, rounds: int = 5, times: int = 200) -> list[Line]:
    """Every operation, the two in turn; the median of the rounds."""
    bare = Bare(folder / "bare")
    lines = []
    async with (
        _opened(folder, "cached", 2**26) as cached,
        _opened(folder, "uncached", 0) as uncached,
    ):
        for number in range(PEOPLE):
            for way in (bare, cached, uncached):
                await way.fill(said(number, WINDOW // 2))
            await cached.recent(number)
        lines.append(await _compare("recent, cached", bare.recent, cached.recent, rounds, times))
        lines.append(await _compare("recent, not cached", bare.recent, uncached.recent, rounds, times))
        for name in ("append", "accept", "answered", "finish", "spent", "reset"):
            lines.append(  # noqa: PERF401  # it waits
                await _compare(name, getattr(bare, name), getattr(cached, name), rounds, times)
            )
    bare.close()
    return lines


Operation = Callable[[int], Awaitable[None]]


async def _compare(name: str, bare: Operation, ours: Operation, rounds: int, times: int) -> Line:
    """Both get the same numbers, so that what must have been accepted before has been."""
    figures: dict[str, list[tuple[float, float]]] = {"bare": [], "ours": []}
    for turn in range(rounds):
        first = 1 + turn * 2 * times
        for way, call in (("bare", bare), ("ours", ours)):
            alone = await _one_at_a_time(call, first, times)
            together = await _fifty_at_a_time(call, first + times, times)
            figures[way].append((alone, together))
    medians = {
        way: tuple(statistics.median(column) for column in zip(*runs, strict=True))
        for way, runs in figures.items()
    }
    return Line(name, medians["bare"], medians["ours"])


async def _one_at_a_time(call: Operation, first: int, times: int) -> float:
    began = time.perf_counter()
    for number in range(first, first + times):
        await call(number)
    return (time.perf_counter() - began) * 1000 / times


async def _fifty_at_a_time(call: Operation, first: int, times: int) -> float:
    began = time.perf_counter()
    for start in range(first, first + times, 50):
        async with trio.open_nursery() as nursery:
            for number in range(start, start + 50):
                nursery.start_soon(partial(call, number))
    return (time.perf_counter() - began) * 1000 / times


def table(lines: list[Line]) -> None:
    """Print it."""
    print("| operation | bare, one at a time | ours | ratio | bare, 50 at a time, each | ours | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for line in lines:
        cells = [line.name]
        for bare, ours in zip(line.bare, line.ours, strict=True):
            cells += [f"{bare:.3f} ms", f"{ours:.3f} ms", f"{ours / bare:.2f} x"]
        print(f"| {' | '.join(cells)} |")
