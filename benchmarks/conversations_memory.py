"""A process that holds conversations in one way, and tells what it takes: a part of `make
bench-conversations`.

    python -m benchmarks.conversations_memory WAY DATABASE

prints one line of JSON.
"""

import gc
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trio

from benchmarks.percentiles import percentile
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.records import Role, Turn

PEOPLE, MESSAGES, CHARACTERS = 10_000, 50, 400
MILLION, FEW = 1_000_000, 5
READS, APPENDS = 20_000, 5_000
Figures = dict[str, float]


def text(number: int) -> str:
    """400 characters that no other message has."""
    return f"{number:>10}" * (CHARACTERS // 10)


def key(person_id: int) -> ConversationKey:
    """Each person speaks in one channel."""
    return ConversationKey(1 + person_id % 1000, person_id)


def exchange(number: int, at: float) -> tuple[Turn, Turn]:
    """A question and its answer."""
    return Turn(Role.USER, text(number), at), Turn(Role.ASSISTANT, text(-number), at)


def megabytes(line: str = "VmRSS:") -> float:
    """What the process has in memory; `VmHWM:` is the most it ever had."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii").split()
    return int(status[status.index(line) + 1]) / 1024


def reference(_database: Path) -> Figures:
    """The reference's layout: for each person a list with a dict for each message."""
    empty = megabytes()
    history: dict[int, list[dict[str, object]]] = {}
    for person_id in range(1, PEOPLE + 1):
        for number in range(MESSAGES):
            role = "user" if number % 2 == 0 else "assistant"
            message = {"role": role, "content": text(person_id * 100 + number), "timestamp": time.time()}
            history.setdefault(person_id, []).append(message)
    return {"empty": empty, "held": megabytes(), "most": megabytes("VmHWM:")}


async def store(database: Path) -> Figures:
    """Ours: all people speak, and all windows are read, twice."""
    async with open_store(database) as opened:
        empty = megabytes()
        people = range(1, PEOPLE + 1)
        exchanges = iter([(n, person_id) for n in range(0, MESSAGES // 2, 5) for person_id in people])
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(_speak, opened, exchanges)
        for person_id in [*range(1, PEOPLE + 1)] * 2:
            assert len(await opened.recent(key(person_id), MESSAGES)) == MESSAGES
        figures = {"empty": empty, "held": megabytes(), "most": megabytes("VmHWM:")}
        return figures | {"cached": opened.figures.cached_bytes / 2**20}


async def _speak(opened: SqliteStore, exchanges: Iterator[tuple[int, int]]) -> None:
    """Five exchanges together; fifty people do so at a time."""
    for first, person_id in exchanges:
        numbers = range(person_id * 100 + first, person_id * 100 + first + 5)
        turns = [turn for number in numbers for turn in exchange(number, time.time())]
        await opened.append(key(person_id), turns, guild_id=1 + person_id % 50)


async def large(database: Path) -> Figures:
    """A file that is there: opening it, reading windows that are not in memory, appending."""
    chance = random.Random(1)
    people = [chance.randint(1, MILLION) for _ in range(READS + APPENDS)]
    before = time.perf_counter()
    async with open_store(database) as opened:
        started = time.perf_counter() - before
        empty = megabytes()
        await opened.append(key(people[0]), exchange(0, time.time()))  # the first of all
        reads = [await _timed(opened.recent, key(person_id), MESSAGES) for person_id in people[:READS]]
        appends = [
            await _timed(opened.append, key(person_id), exchange(person_id, time.time()))
            for person_id in people[READS:]
        ]
        return {
            "started": started * 1000,
            "empty": empty,
            "held": megabytes(),
            "most": megabytes("VmHWM:"),
            "hits": opened.figures.cache_hits,
            "read p50": percentile(reads, 0.5),
            "read p99": percentile(reads, 0.99),
            "read max": max(reads),
            "append p50": percentile(appends, 0.5),
            "append p99": percentile(appends, 0.99),
            "append max": max(appends),
        }


async def _timed(call: Callable[..., Awaitable[object]], *arguments: object) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await call(*arguments)
    return (time.perf_counter() - began) * 1000


async def start(database: Path) -> Figures:
    """Nothing but opening it."""
    before = time.perf_counter()
    async with open_store(database):
        started = time.perf_counter() - before
        return {"started": started * 1000, "empty": megabytes()}


def main(way: str, database: Path) -> None:
    """Print the figures."""
    figures = reference(database) if way == "reference" else trio.run(globals()[way], database)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
