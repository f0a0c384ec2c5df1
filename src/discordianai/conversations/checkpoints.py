"""Moving what was written from the write-ahead log into the database file, off the write path.

A passive checkpoint runs beside the writes and does nearly all of the work. Writes that never pause keep the
log growing, though: so beyond a size, or where something removed must not stay in it, the log is emptied
between two transactions, when little is left to move.

SQLite until 3.51.3 had a defect: a passive checkpoint that starts while the log is wholly checkpointed can
overlook that a commit begins the log anew, and damage the file (sqlite.org/wal.html#walresetbug). It cannot
happen here: a commit that leaves something to move goes before each passive checkpoint, one runs at a time,
and no other process checkpoints while the bot runs.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from discordianai.conversations.writer import Writer

LONGEST_LOG = 4096
"""Pages of 4 KiB in the log, after which it is emptied."""


class Checkpointer:
    """One checkpoint at a time. `write_something` commits a change of at least one page."""

    def __init__(self, writer: Writer, write_something: Callable[[], Awaitable[object]]) -> None:
        self._writer = writer
        self._write_something = write_something
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._commits_seen = 0
        self.log_pages = 0

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No checkpoint runs while the block does."""
        async with self._turn:
            yield

    async def run(self, connection: Callable[[], sqlite3.Connection | None], *, truncate: bool) -> bool:
        """Move the log into the file; with `truncate`, empty it. Whether it did.

        A reader of an older state, a backup for example, keeps the log from being emptied. Raises
        `sqlite3.Error`, and what `write_something` does.
        """
        async with self._turn:
            if self._writer.commits != self._commits_seen:
                await self._write_something()
                self._commits_seen = self._writer.commits
                await self._checkpoint(connection(), "PASSIVE")
            if not truncate and self.log_pages < LONGEST_LOG:
                return True
            async with self._writer.paused():
                return await self._checkpoint(connection(), "TRUNCATE")

    async def _checkpoint(self, connection: sqlite3.Connection | None, mode: str) -> bool:
        if connection is None:
            return False

        def run() -> tuple[int, int, int]:
            row: tuple[int, int, int] = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            return row

        busy, self.log_pages, _ = await trio.to_thread.run_sync(run, limiter=self._thread)
        return not busy
