"""Group commit: the writes that wait share one transaction and one fsync. Also: a slow disk, and writes
that it does not take now.

While a transaction is being committed, further writes gather; they are the next one. So a write waits for two
fsyncs at most, and a thousand writes a second need no more fsyncs than the disk can do.

Each write runs in a savepoint of its own: one that fails is rolled back alone. Where the transaction as a
whole fails, each is tried in a transaction of its own, so that one that is too large for a full disk takes no
other with it.
"""

import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite.connections import transaction
from discordianai.conversations.sqlite.errors import ErrorKind, code, kind_of
from discordianai.guard import Guard
from discordianai.metric import Latencies

SLOW_AFTER = 2.0
"""Seconds from a write's call to its commit. A disk takes milliseconds, a busy one tens of them."""

SLOW_OVER_AFTER = 30.0
"""Seconds without a slow write after which the disk counts as well again, so that the log is not filled by a
disk that is slow now and then."""


class SlowDisk:
    """On the trio thread."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._last_slow: float | None = None
        self._longest = 0.0

    def __bool__(self) -> bool:
        """Whether writes are slow at present."""
        return self._last_slow is not None

    def note(self, seconds: float) -> None:
        """A write took so long, or has waited so long already."""
        if seconds < SLOW_AFTER:
            return
        if self._last_slow is None:
            self._log.warning(
                "the disk is slow: answers are shown before they are stored", seconds=round(seconds, 1)
            )
        self._last_slow = trio.current_time()
        self._longest = max(self._longest, seconds)

    def check(self) -> None:
        """To be called now and then: ends what has been over for a while."""
        if self._last_slow is not None and trio.current_time() - self._last_slow >= SLOW_OVER_AFTER:
            self._log.info("the disk is no longer slow", longest_seconds=round(self._longest, 1))
            self._last_slow, self._longest = None, 0.0


MAX_QUEUED = 1024
"""Writes in the queue; a further one waits until there is space."""

MAX_GROUP = 128
"""Writes in one transaction: about 10 ms of work."""

CHECKPOINT_AFTER = 25
"""Writes after which the log should be moved into the file: 125 pages, which a disk takes in 3 to 5 ms. A
write may have to wait for it that long."""

Statements = Callable[[sqlite3.Connection], Any]
"""Runs inside a transaction, perhaps twice; changes nothing but the database."""


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What the statements returned, or the error that stopped them."""

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class QueuedWrite:
    """`settle` is called with the outcome on the trio thread, in the order of the commits."""

    statements: Statements
    settle: Callable[[WriteOutcome], None]
    since: float = field(default_factory=trio.current_time)


class Writer:
    """Owns the writing connection; `run` is its task. `connection` gives None while there is none.

    What is sent to `queue` is settled in any case. After `close` it raises `trio.ClosedResourceError`.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection | None]) -> None:
        self._connection = connection
        self.queue, self._queued = trio.open_memory_channel[QueuedWrite](MAX_QUEUED)
        self._lock = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._checkpoint_due = trio.Event()
        self._writes = 0
        self._began: float | None = None
        log = structlog.get_logger("discordianai.conversations")
        self._guard = Guard(log, "bug after a write")  # the other writes are settled all the same
        self.commits = 0
        self.waits = Latencies()
        """Of writes, from their call to their commit."""

    async def checkpoint_due(self) -> None:
        """Wait until `CHECKPOINT_AFTER` more writes are on disk."""
        self._writes, self._checkpoint_due = 0, trio.Event()
        await self._checkpoint_due.wait()

    @property
    def waiting(self) -> int:
        """How many writes are queued."""
        return self._queued.statistics().current_buffer_used

    @property
    def committing(self) -> float:
        """Seconds that the present transaction has taken so far."""
        return 0.0 if self._began is None else trio.current_time() - self._began

    def close(self) -> None:
        """Take nothing more; `run` ends after what is queued."""
        self.queue.close()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is written while the block runs."""
        async with self._lock:
            yield

    async def run(self) -> None:
        """Write until closed. A shutdown does not cancel it: what is queued is wanted, and soon done."""
        with trio.CancelScope(shield=True):
            async for first in self._queued:
                group = self._group(first)
                async with self._lock:
                    connection = self._connection()
                    if connection is None:
                        error = sqlite3.OperationalError("the database is not open")
                        outcomes = [WriteOutcome(error=error)] * len(group)
                    else:
                        self._began = trio.current_time()
                        outcomes = await trio.to_thread.run_sync(
                            commit_group, connection, [w.statements for w in group], limiter=self._thread
                        )
                        self._count(len(group))
                    self._settle(group, outcomes)

    def _group(self, first: QueuedWrite) -> list[QueuedWrite]:
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                group.append(self._queued.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return group

    def _count(self, writes: int) -> None:
        self._began = None
        self.commits += 1
        self._writes += writes
        if self._writes >= CHECKPOINT_AFTER:
            self._checkpoint_due.set()

    def _settle(self, group: Sequence[QueuedWrite], outcomes: Sequence[WriteOutcome]) -> None:
        now = trio.current_time()
        for write, outcome in zip(group, outcomes, strict=True):
            with self._guard:
                self.waits.note(now - write.since)
                write.settle(outcome)


def commit_group(connection: sqlite3.Connection, group: Sequence[Statements]) -> list[WriteOutcome]:
    """Commit all in one transaction where that is possible, else each in its own."""
    outcomes = []
    try:
        with transaction(connection):
            for statements in group:
                connection.execute("SAVEPOINT one")
                try:
                    outcomes.append(WriteOutcome(statements(connection)))
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite has rolled back everything: a full disk, an I/O error
                    connection.execute("ROLLBACK TO one")
                    outcomes.append(WriteOutcome(error=error))
                connection.execute("RELEASE one")
    except sqlite3.Error as error:
        return [WriteOutcome(error=error)] if len(group) == 1 else _commit_each(connection, group)
    return outcomes


def _commit_each(connection: sqlite3.Connection, group: Sequence[Statements]) -> list[WriteOutcome]:
    outcomes: list[WriteOutcome] = []
    for statements in group:
        (outcome,) = commit_group(connection, [statements])
        outcomes.append(outcome)
        if outcome.error is not None and not _next_may_succeed(outcome.error):
            return outcomes + [outcome] * (len(group) - len(outcomes))
    return outcomes


def _next_may_succeed(error: Exception) -> bool:
    """False where each further write would wait for the same lock in vain, for example."""
    return kind_of(error) is ErrorKind.STATEMENT or code(error) == sqlite3.SQLITE_FULL


MAX_BYTES = 8 * 2**20
"""About 5000 exchanges. Beyond it the oldest writes are dropped."""

OVERHEAD = 500


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One transaction's statements, and what follows.

    `on_commit` is called with their result once it is on disk, `on_failure` when it never will be. A write
    that may not `wait` for a database that cannot be written fails at once. `packed` are the turns that it
    adds to the conversation `key`; `question` is the interaction whose question it stores; `size` is about
    how many bytes it keeps in memory beside `packed`.
    """

    statements: Statements
    on_commit: Callable[[Any], None] = lambda _: None
    on_failure: Callable[[], None] = lambda: None
    wait: bool = True
    key: ConversationKey | None = None
    packed: bytes = b""
    question: int | None = None
    size: int = 0


class Backlog:
    """In order, oldest first, within a bound in bytes."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._writes: deque[Write] = deque()
        self._size = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[Write]:
        return iter(self._writes)

    def add(self, write: Write) -> None:
        """Keep a write; the oldest ones are dropped where it does not fit."""
        self._writes.append(write)
        self._size += _size(write)
        while self._size > self._max_bytes:
            self.remove_first().on_failure()
            self.lost += 1

    @property
    def first(self) -> Write:
        """The oldest write."""
        return self._writes[0]

    def remove_first(self) -> Write:
        """Take the oldest write out."""
        write = self._writes.popleft()
        self._size -= _size(write)
        return write


def _size(write: Write) -> int:
    return OVERHEAD + len(write.packed) + write.size
