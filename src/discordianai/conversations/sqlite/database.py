"""The open database as the trio thread sees it: reads, writes, checkpoints, and recovery from errors.

While the file cannot be written (a full or read-only disk, another program's lock) or is not to be trusted (a
damaged page), writes wait in memory (see `durable_writes`), and `recover` is called until it succeeds. A
damaged file is set aside, and a new one created.
"""

import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio

from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.durable_writes import DurableWrites
from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.sqlite import bookkeeping_table, errors, files, repair
from discordianai.conversations.sqlite.checkpoints import Checkpointer
from discordianai.conversations.sqlite.connections import Connections
from discordianai.conversations.sqlite.files import DatabaseLock, lock_path
from discordianai.conversations.sqlite.group_commit import Statements, commit_group
from discordianai.conversations.sqlite.migration_log import logged_migration
from discordianai.conversations.store import StoreError
from discordianai.metric import Latencies, Latency
from discordianai.safe_files import UnsafeFile, located

LOCK_PATIENCE = 0.5
"""Seconds that a start waits for its database: an operator's commands hold the lock for moments."""

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


class Database:
    """Made by `lock_database`. It is the engine of its own `writes`."""

    slow_part = "the disk"
    longest_write = math.inf
    """A disk answers, however late; the watchdog tells where one does not."""

    def __init__(self, path: Path, lock: DatabaseLock, ask_for_time: Callable[[], object]) -> None:
        self._path = path
        self._ask_for_time = ask_for_time
        self._lock = lock
        self._connections: Connections | None = None
        self._damaged = False
        self._other_content = False
        self._readers = Readers()
        self.writes = DurableWrites[Statements](self)
        self._checkpointer = Checkpointer(
            self.writes, lambda: self.write(Write(bookkeeping_table.probe, deferrable=False))
        )
        self._thread = trio.CapacityLimiter(1)
        self._writing_thread = trio.CapacityLimiter(1)
        self._log = structlog.get_logger("discordianai.conversations.sqlite.database")
        self._read_waits = Latencies()

    @property
    def label(self) -> str:
        """See `Engine.label`."""
        return str(self._path)

    @property
    def reads(self) -> Latency:
        """How long reads took, with the wait for their turn."""
        return self._read_waits.now()

    @property
    def log_pages(self) -> int:
        """The length of the write-ahead log at the last checkpoint."""
        return self._checkpointer.log_pages

    @property
    def longest_pause(self) -> float:
        """The longest time in seconds for which a checkpoint delayed the writes."""
        return self._checkpointer.longest_pause

    async def checkpoint_due(self) -> None:
        """Wait until the log has grown so much that a checkpoint is due."""
        await self._checkpointer.due()

    async def read(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query in a thread. Raises `StoreError`."""
        if self._connections is None:
            raise StoreError(self.writes.health.reason)
        began = trio.current_time()
        try:
            return await self._readers.run(query)
        except sqlite3.Error as error:
            self.writes.note_error(error)
            raise StoreError(f"the database cannot be read: {errors.reason(error)}") from error
        finally:
            self._read_waits.note(trio.current_time() - began)

    async def write(self, write: Write[Statements]) -> Any:  # what the statements return
        """See `DurableWrites.write`."""
        return await self.writes.write(write)

    async def commit(self, group: Sequence[Statements]) -> Sequence[WriteOutcome]:
        """See `Engine.commit`."""
        if self._connections is None:
            return [WriteOutcome(error=sqlite3.OperationalError("the database is not open"))] * len(group)
        outcomes = await trio.to_thread.run_sync(
            commit_group, self._connections.writer, group, limiter=self._writing_thread
        )
        self._checkpointer.note_writes(len(group))
        return outcomes

    def diagnose(self, error: Exception) -> str:
        """See `Engine.diagnose`."""
        kind = errors.kind_of(error)
        if kind is ErrorKind.STATEMENT and self._connections is not None:
            return ""
        self._damaged = self._damaged or kind is ErrorKind.CORRUPT
        self._other_content = self._other_content or errors.lacks_table(error)
        what = "is damaged" if self._damaged else "cannot be used"
        return f"the database {self._path} {what}: {errors.reason(error)}"

    def reason(self, error: Exception) -> str:
        """See `Engine.reason`."""
        return errors.reason(error)

    async def check_file(self) -> bool:
        """Whether the file was removed or replaced, so that writes to it would be lost when it is closed."""
        self.writes.check()
        present = self._connections
        if present is None:
            return False
        replaced = await trio.to_thread.run_sync(
            repair.was_replaced, self._path, present, limiter=self._thread
        )
        if replaced:
            self.writes.mark_unwritable(
                f"the database {self._path} or its log was removed or replaced while in use"
            )
        return replaced

    async def recover(self) -> bool:
        """See `Engine.recover`."""
        async with self._checkpointer.paused(), self.writes.paused(), self._readers.paused():
            try:
                connections = await trio.to_thread.run_sync(self._reopen, limiter=self._thread)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._damaged = self._damaged or errors.kind_of(error) is ErrorKind.CORRUPT
                self.writes.mark_unwritable(
                    f"the database {self._path} cannot be used: {errors.reason(error)}"
                )
                return False
            if connections is not self._connections:
                self._use(connections)
        return await self.writes.write_backlog()

    async def open(self) -> None:
        """Open the file at the start. Raises `StoreError` where trying again is pointless."""
        try:
            await trio.lowlevel.checkpoint()
            self._use(await trio.to_thread.run_sync(self._open, limiter=self._thread))
        except StoreError as error:
            raise StoreError(f"the database {self._path} cannot be used: {error}") from error
        except (sqlite3.Error, OSError) as error:
            if errors.kind_of(error) is ErrorKind.STATEMENT:
                raise StoreError(f"the database {self._path} cannot be opened: {error}") from error
            self.writes.mark_unwritable(f"the database {self._path} cannot be used: {errors.reason(error)}")

    def _reopen(self) -> Connections:
        """In a thread: connections that take writes. Nothing uses the present ones meanwhile."""
        present = self._connections
        if present is not None:
            sound = not (self._damaged or self._other_content)
            if sound and repair.check_writable(self._path, present):
                return present
            self._connections = None
            repair.close(self._path, present)
        if self._damaged:
            repair.set_aside(self._path)
            self._damaged = False
        self._other_content = False
        return self._open()

    def _open(self) -> Connections:
        self._lock = self._lock.renewed()
        if not files.is_foreign(self._path):
            files.tighten(self._path, self._log)
        with logged_migration(self._ask_for_time) as report:
            return repair.open_or_begin_anew(self._path, report)

    def _use(self, connections: Connections) -> None:
        self._connections = connections
        self._readers = Readers(connections.readers)
        self._damaged = False

    async def checkpoint(self, *, truncate: bool = False) -> bool:
        """See `Checkpointer.run`. Raises `StoreError`."""
        if not self.writes.writable:
            return False
        try:
            return await self._checkpointer.run(lambda: self._connections, truncate=truncate)
        except (sqlite3.Error, OSError) as error:
            self.writes.note_error(error)
            return False

    async def close(self) -> None:
        """Close the file and release it for the next bot. Nothing may be running any more."""

        def close() -> None:
            try:
                if self._connections is not None:
                    repair.close(self._path, self._connections)
            except (sqlite3.Error, OSError) as error:  # all that could be written is
                self._log.warning("database not closed cleanly", reason=errors.reason(error))
            finally:
                self._lock.release()

        await trio.to_thread.run_sync(close, limiter=self._thread)


def lock_database(path: Path, ask_for_time: Callable[[], object]) -> Database:
    """In a thread: lock the database, to be opened next, and closed in any case. Raises `StoreError`.

    `ask_for_time` is called on the trio thread every few seconds while a migration lasts.
    """
    path = located(path)
    try:
        if files.is_foreign(path) and not lock_path(path).exists():
            raise StoreError(f"the database {path} cannot be used: it is not a database; name another file")
        files.refuse_unsafe(path)
    except UnsafeFile as error:
        raise StoreError(f"the database {path} cannot be used: {error}") from None
    except OSError:
        pass  # a disk that fails now may work later
    try:
        return Database(path, DatabaseLock(path, LOCK_PATIENCE), ask_for_time)
    except OSError as error:
        raise StoreError(f"the database {path} cannot be locked: {error}") from error
