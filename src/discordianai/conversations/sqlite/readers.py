"""A pool of reading connections."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

Result = TypeVar("Result")


class Readers:
    """In WAL mode readers wait neither for the writer nor for each other; only for a free connection."""

    def __init__(self, connections: Sequence[sqlite3.Connection] = ()) -> None:
        self._free = list(connections)
        self._count = len(self._free)
        self._slots = trio.CapacityLimiter(max(self._count, 1))

    async def run(self, call: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `call` in a thread. Once begun, it is waited for, so that no other call gets its connection."""

        def with_connection() -> Result:
            connection = self._free.pop()  # one for each token of the limiter
            try:
                return call(connection)
            finally:
                self._free.append(connection)

        return await trio.to_thread.run_sync(with_connection, limiter=self._slots)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """A block during which no reads run."""
        borrowers = [object() for _ in range(self._count)]
        taken = []
        try:
            for borrower in borrowers:
                await self._slots.acquire_on_behalf_of(borrower)
                taken.append(borrower)
            yield
        finally:
            for borrower in taken:
                self._slots.release_on_behalf_of(borrower)
