"""A process that opens a conversation store in one way and tells what it takes: a part of `conversations`.

Run as `python -m benchmarks.conversations_process hold|read|start DATABASE PEOPLE`: it prints one line of
JSON.
"""

import gc
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import trio

from benchmarks.harness import percentile
from benchmarks.processes import resident_mb
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.records import Role, Turn

MESSAGES, CHARACTERS = 50, 400
"""Of each person's window, and of each message."""

READS, APPENDS = 20_000, 5_000
Figures = dict[str, float]
"""Times are in milliseconds, memory in megabytes."""


def text(number: int) -> str:
    """400 characters that no other message has."""
    return f"{number:>10}" * (CHARACTERS // 10)


def key(person_id: int) -> ConversationKey:
    """Each person speaks in one channel."""
    return ConversationKey(1 + person_id % 1000, person_id)


def exchange(number: int, at: float) -> tuple[Turn, Turn]:
    """A question and its answer."""
    return Turn(Role.USER, text(number), at), Turn(Role.ASSISTANT, text(-number), at)


async def hold(database: Path, people: int) -> Figures:
    """All people fill their windows, and all windows are read, twice."""
    async with open_store(database) as store:
        empty = _memory()
        everybody = range(1, people + 1)
        exchanges = iter([(n, person_id) for n in range(0, MESSAGES // 2, 5) for person_id in everybody])
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(_append_five, store, exchanges)
        for person_id in [*everybody] * 2:
            assert len(await store.recent(key(person_id), MESSAGES)) == MESSAGES
        held, most = _memory(), resident_mb(most=True)
        return {"empty": empty, "held": held, "most": most, "cached": store.figures.cached_bytes / 2**20}


async def _append_five(store: SqliteStore, exchanges: Iterator[tuple[int, int]]) -> None:
    """Five exchanges together; fifty people do so at a time."""
    for first, person_id in exchanges:
        numbers = range(person_id * 100 + first, person_id * 100 + first + 5)
        turns = [turn for number in numbers for turn in exchange(number, time.time())]
        await store.append(key(person_id), turns, guild_id=1 + person_id % 50)


async def read(database: Path, people: int) -> Figures:
    """Open a large file, read windows that are not in memory, and append."""
    async with open_store(database) as store:
        empty = _memory()
        await store.append(key(1), exchange(0, time.time()))  # the first takes longer
        reads = [await _timed(partial(store.recent, key(n), MESSAGES)) for n in _sample(READS, people)]
        appends = [
            await _timed(partial(store.append, key(n), exchange(n, time.time())))
            for n in _sample(APPENDS, people)
        ]
        return {"empty": empty, "held": _memory()} | _spread("read", reads) | _spread("append", appends)


async def start(database: Path, _people: int) -> Figures:
    """Only open it."""
    began = time.perf_counter()
    async with open_store(database):
        return {"started": (time.perf_counter() - began) * 1000}


def _sample(size: int, people: int) -> list[int]:
    chance = random.Random(size)
    return [chance.randint(1, people) for _ in range(size)]


def _memory() -> float:
    gc.collect()
    return resident_mb()


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


def _spread(name: str, times: list[float]) -> Figures:
    parts = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    return {f"{name} {part}": percentile(times, value) for part, value in parts}


if __name__ == "__main__":
    ways = {"hold": hold, "read": read, "start": start}
    print(json.dumps(trio.run(ways[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]))))
