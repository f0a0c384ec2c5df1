"""Moving what was written from the write-ahead log into the database file, off the write path.

A passive checkpoint runs beside the writes and does nearly all of the work. Writes that never pause keep the
log growing, though. So beyond a size it is restarted, and where it must not keep what was removed, it is
emptied: between two transactions, when little is left to move.

SQLite sends the file to the disk only with the last page of the log. Writes that never pause would leave that
to the moment in which they have to wait, for all that was moved; so it is done here, beside them.

SQLite until 3.51.3 had a defect: a passive checkpoint that starts while the log is wholly checkpointed can
overlook that a commit restarts the log, and damage the file (sqlite.org/wal.html#walresetbug). It cannot
happen here: a commit that leaves something to move goes before each checkpoint, one runs at a time, and no
other process checkpoints while the bot runs. The one that empties the log is no exception: where another
process, an operator's purge, is just writing, SQLite makes a passive one of it.
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from discordianai.conversations.engine.durable_writes import DurableWrites
from discordianai.conversations.sqlite import bookkeeping_table, errors, residues
from discordianai.conversations.sqlite.connections import Connections, flush
from discordianai.conversations.sqlite.group_commit import Statements

LONGEST_LOG = 4096
"""Pages of 4 KiB in the log, after which it is restarted."""

CHECKPOINT_AFTER = 25
"""Writes after which the log should be moved into the file: 125 pages, which a disk takes in 3 to 5 ms. A
write may have to wait for it that long."""

PATIENCE = 1.0
"""Seconds until the next attempt, if a reader of an older state prevented it."""


class Checkpointer:
    """Runs one checkpoint at a time. `write_something` commits a change of at least one page."""

    def __init__(
        self, writes: DurableWrites[Statements], write_something: Callable[[], Awaitable[object]]
    ) -> None:
        self._writes = writes
        self._write_something = write_something
        self._turn = trio.Lock()
        self._emptyings_wanted = self._emptyings_done = 0
        """How often the log was to be emptied, and up to which of these it has been."""
        self._thread = trio.CapacityLimiter(1)
        self._commits_seen = 0
        self._not_before = 0.0
        self._due = trio.Event()
        self._since_due = 0
        self.log_pages = 0
        self.longest_pause = 0.0

    def note_writes(self, count: int) -> None:
        """So many more writes are in the log."""
        self._since_due += count
        if self._since_due >= CHECKPOINT_AFTER:
            self._due.set()

    async def due(self) -> None:
        """Wait until `CHECKPOINT_AFTER` more writes are in the log."""
        self._since_due, self._due = 0, trio.Event()
        await self._due.wait()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """A block during which no checkpoint runs."""
        async with self._turn:
            yield

    async def run(self, connections: Callable[[], Connections | None], *, truncate: bool) -> bool:
        """Move the log into the file; with `truncate`, empty it, and overwrite what is left of removed rows.

        Returns whether that succeeded. Those that have it emptied at the same time share one emptying.

        A reader of an older state, a backup for example, keeps the log from being emptied. Raises
        `sqlite3.Error`, `OSError`, and what `write_something` does.
        """
        self._emptyings_wanted += truncate
        wanted = self._emptyings_wanted
        async with self._turn:
            if truncate:
                return self._emptyings_done >= wanted or await self._empty(connections)
            if self._writes.commits != self._commits_seen:
                await self._move(connections)
            if self.log_pages < LONGEST_LOG or time.monotonic() < self._not_before:
                return True
            return await self._pausing(connections, "RESTART")

    async def _empty(self, connections: Callable[[], Connections | None]) -> bool:
        wanted = self._emptyings_wanted  # all these have committed what they removed
        await self._move(connections)
        for part in residues.parts(await self._find_residues(connections())):
            if not await self._pausing(connections, "TRUNCATE", part):
                return False
        self._emptyings_done = wanted
        return True

    async def _move(self, connections: Callable[[], Connections | None]) -> None:
        await self._write_something()
        self._commits_seen = self._writes.commits
        await self._checkpoint(connections(), "PASSIVE")

    async def _pausing(
        self, connections: Callable[[], Connections | None], mode: str, found: set[int] | None = None
    ) -> bool:
        """A checkpoint for which the writes have to wait."""
        async with self._writes.paused():
            began = time.monotonic()
            done = await self._checkpoint(connections(), mode, found)
            ended = time.monotonic()
        self.longest_pause = max(self.longest_pause, ended - began)
        self._not_before = ended + (0.0 if done else PATIENCE)
        return done

    async def _find_residues(self, connections: Connections | None) -> set[int]:
        """While this runs, only the log changes."""
        if connections is None:
            return set()
        find = partial(residues.find, connections.descriptor)
        return await trio.to_thread.run_sync(find, limiter=self._thread)

    async def _checkpoint(
        self, connections: Connections | None, mode: str, found: set[int] | None = None
    ) -> bool:
        if connections is None:
            return False
        run = partial(_checkpoint, connections, mode, found)
        pages = await trio.to_thread.run_sync(run, limiter=self._thread)
        if pages is not None:
            self.log_pages = pages
        return pages is not None


def _checkpoint(connections: Connections, mode: str, found: set[int] | None) -> int | None:
    """The pages that are in the log afterwards; None where another connection prevented it.

    Where pages with residues were looked for, those that were `found` are overwritten, and those that have
    changed since.
    """
    connection = connections.checkpointer
    changed = set() if found is None else residues.changed(connections.log_path, connections.descriptor)
    if mode != "PASSIVE" and not probe_unless_busy(connection):
        return None
    busy, pages, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    if busy:
        return None
    if found is not None:
        residues.overwrite(connections.descriptor, found | changed)
    if mode != "PASSIVE":
        return 0
    flush(connections.descriptor)
    return int(pages)


def probe_unless_busy(connection: sqlite3.Connection) -> bool:
    """Commit a page, so that there is something to move; False while another process writes."""
    try:
        bookkeeping_table.probe(connection)
    except sqlite3.OperationalError as error:
        if errors.code(error) != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
