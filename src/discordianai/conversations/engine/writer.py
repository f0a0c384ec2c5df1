"""Group commit: the writes that wait share one transaction.

While a transaction is being committed, further writes gather; they are the next one. So a write waits for two
commits at most, and a thousand writes a second need no more of them than the disk can do.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
import trio

from discordianai.guard import Guard
from discordianai.metric import Latencies

MAX_QUEUED = 1024
"""Writes in the queue; a further one waits until there is space."""

MAX_GROUP = 128
"""Writes in one transaction: about 10 ms of work."""

Statements = TypeVar("Statements")


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What the statements returned, or the error that stopped them."""

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class QueuedWrite(Generic[Statements]):
    """`settle` is called with the outcome on the trio thread, in the order of the commits."""

    statements: Statements
    settle: Callable[[WriteOutcome], None]
    since: float = field(default_factory=trio.current_time)


Commit = Callable[[Sequence[Statements]], Awaitable[Sequence[WriteOutcome]]]
"""Commits a group, each write whole or not at all, whatever becomes of the others. Raises nothing."""


class Writer(Generic[Statements]):
    """Runs one transaction at a time; `run` is its task.

    What is sent to `queue` is settled in any case. After `close` it raises `trio.ClosedResourceError`.
    """

    def __init__(self, commit: Commit[Statements]) -> None:
        self._commit = commit
        self.queue, self._queued = trio.open_memory_channel[QueuedWrite[Statements]](MAX_QUEUED)
        self._lock = trio.Lock()
        self._began: float | None = None
        log = structlog.get_logger("discordianai.conversations.engine.writer")
        self._guard = Guard(log, "bug after a write")  # the other writes are settled all the same
        self.commits = 0
        self.waits = Latencies()
        """Of writes, from their call to their commit."""

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
                    self._began = trio.current_time()
                    outcomes = await self._commit([write.statements for write in group])
                    self._began = None
                    self.commits += any(outcome.error is None for outcome in outcomes)
                    self._settle(group, outcomes)

    def _group(self, first: QueuedWrite[Statements]) -> list[QueuedWrite[Statements]]:
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                group.append(self._queued.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return group

    def _settle(self, group: Sequence[QueuedWrite[Statements]], outcomes: Sequence[WriteOutcome]) -> None:
        now = trio.current_time()
        for write, outcome in zip(group, outcomes, strict=True):
            with self._guard:
                self.waits.note(now - write.since)
                write.settle(outcome)
