"""How long a database is open, from the start of its store to its end, and what is repeated meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog
import trio

from discordianai.conversations.engine.durable_writes import DurableWrites
from discordianai.guard import Guard


class OpenableDatabase(Protocol):
    """A database as the trio thread sees it."""

    writes: DurableWrites[Any]  # of whichever statements: none is looked at here

    async def open(self) -> None:
        """Open it at the start. Raises `StoreError` where trying again is pointless."""

    async def close(self) -> None:
        """Close it, whether it was opened or not; within seconds. Nothing may be running any more."""


@asynccontextmanager
async def running(
    database: OpenableDatabase, maintenance: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Open the database, write and maintain it while the block runs, and close it. Raises `StoreError`."""
    error: BaseException | None = None
    try:
        await database.open()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.writes.run)
            nursery.start_soon(maintenance)
            try:
                yield
            finally:
                nursery.cancel_scope.cancel()  # maintenance; the writer finishes what is queued first
                await database.writes.finish()
    except BaseExceptionGroup as group:
        # The nursery is an implementation detail: an error of the caller's is raised as it was.
        error = group.exceptions[0] if len(group.exceptions) == 1 else group
    finally:
        with trio.CancelScope(shield=True):  # `close` ends by itself
            await database.close()
    if error is not None:
        raise error


AFTER_A_BUG = 1.0
"""Seconds until the next round, at least."""


async def repeat(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Run until cancelled. After a round with a bug the next one follows, after at least a second."""
    guard = Guard(
        structlog.get_logger("discordianai.conversations.engine.lifetime"), "bug in the store's maintenance"
    )
    while True:
        with guard:
            await work()
        await trio.sleep(max(pause, AFTER_A_BUG) if guard.failed else pause)
