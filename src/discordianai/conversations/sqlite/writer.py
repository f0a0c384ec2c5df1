"""Group commit: all writes that wait at a moment go into one transaction, and share one fsync.

While a transaction is being written, further writes gather; they are the next one. So a write waits for two
fsyncs at most, and a thousand writes a second need no more fsyncs than the disk can do.

Each write runs in a savepoint of its own: one that fails is rolled back alone. Where the transaction as a
whole fails, each is tried in a transaction of its own, so that one that is too large for a full disk takes no
other with it.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from discordianai.conversations.sqlite.connections import transaction
from discordianai.conversations.sqlite.errors import code
from discordianai.guard import Guard
from discordianai.latencies import Latencies

MOST_WAITING = 1024
"""Writes; whoever comes then waits for room."""

MOST_TOGETHER = 128
"""Writes in one transaction: about 10 ms of work."""

MUCH = 25
"""Writes after which the log should be moved into the file: 125 pages, which a disk takes in 3 to 5 ms. A
write may have to wait for it that long."""

Call = Callable[[sqlite3.Connection], Any]
"""Runs inside a transaction, perhaps twice; changes nothing but the database."""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What a call returned, or what stopped it."""

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A call, and who is told its outcome: on the trio thread, in the order of the commits."""

    call: Call
    settle: Callable[[WriteOutcome], None]
    since: float = field(default_factory=trio.current_time)


class Writer:
    """Owns the writing connection; `run` is its task. `connection` gives None while there is none."""

    def __init__(self, connection: Callable[[], sqlite3.Connection | None]) -> None:
        self._connection = connection
        self._send, self._receive = trio.open_memory_channel[Write](MOST_WAITING)
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._much = trio.Event()
        self._writes = 0
        self._began: float | None = None
        log = structlog.get_logger("discordianai.conversations")
        self._guard = Guard(log, "a bug in what follows a write")  # one person's; the others' are written
        self.commits = 0
        self.waits = Latencies()
        """Of writes, from their call to their commit."""

    async def submit(self, write: Write) -> None:
        """Queue a write. Cancelled before it returns, it is not queued; else it is settled in any case.

        Raises `trio.ClosedResourceError` after `close`.
        """
        await self._send.send(write)

    async def much_written(self) -> None:
        """Wait until `MUCH` more writes are on disk."""
        self._writes, self._much = 0, trio.Event()
        await self._much.wait()

    @property
    def waiting(self) -> int:
        """How many writes are queued."""
        return self._receive.statistics().current_buffer_used

    @property
    def committing(self) -> float:
        """Seconds for which the present transaction has been written."""
        return 0.0 if self._began is None else trio.current_time() - self._began

    def close(self) -> None:
        """Take nothing more; `run` ends after what is queued."""
        self._send.close()

    async def run(self) -> None:
        """Write until closed. Not cancelled by a shutdown: what was queued is wanted, and soon done."""
        with trio.CancelScope(shield=True):
            async for first in self._receive:
                writes = [first]
                while len(writes) < MOST_TOGETHER:
                    try:
                        writes.append(self._receive.receive_nowait())
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                async with self._turn:
                    await self._commit(writes)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is written while the block runs."""
        async with self._turn:
            yield

    async def _commit(self, writes: list[Write]) -> None:
        connection = self._connection()
        if connection is None:
            outcomes = [WriteOutcome(error=sqlite3.OperationalError("the database is not open"))] * len(
                writes
            )
        else:
            calls = [write.call for write in writes]
            self._began = trio.current_time()
            outcomes = await trio.to_thread.run_sync(commit, connection, calls, limiter=self._thread)
            self._began = None
            self.commits += 1
            self._writes += len(writes)
            if self._writes >= MUCH:
                self._much.set()
        now = trio.current_time()
        for write, outcome in zip(writes, outcomes, strict=True):
            with self._guard:
                self.waits.note(now - write.since)
                write.settle(outcome)


def commit(connection: sqlite3.Connection, calls: Sequence[Call]) -> list[WriteOutcome]:
    """Run all calls, in one transaction where that is possible."""
    try:
        return _together(connection, calls)
    except sqlite3.Error as error:
        if len(calls) == 1:
            return [WriteOutcome(error=error)]
    outcomes: list[WriteOutcome] = []
    for call in calls:
        try:
            outcomes += _together(connection, [call])
        except sqlite3.Error as error:
            outcomes.append(WriteOutcome(error=error))
            if not _worth_going_on(error):
                return outcomes + [WriteOutcome(error=error)] * (len(calls) - len(outcomes))
    return outcomes


def _together(connection: sqlite3.Connection, calls: Sequence[Call]) -> list[WriteOutcome]:
    """Raises `sqlite3.Error` where the transaction is lost, and nothing of it is written."""
    outcomes = []
    with transaction(connection):
        for call in calls:
            connection.execute("SAVEPOINT one")
            try:
                outcomes.append(WriteOutcome(call(connection)))
            except Exception as error:
                if not connection.in_transaction:
                    raise  # SQLite has rolled back everything: a full disk, an I/O error
                connection.execute("ROLLBACK TO one")
                outcomes.append(WriteOutcome(error=error))
            connection.execute("RELEASE one")
    return outcomes


def _worth_going_on(error: sqlite3.Error) -> bool:
    """Whether the next write may fare better: not where each would wait for the same lock in vain."""
    return code(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG}
