"""The open database as the trio thread sees it: reads, writes, checkpoints, and recovery from errors.

While the file cannot be written (a full or read-only disk, another program's lock) or is not to be trusted (a
damaged page), `health` says so, writes wait in a bounded backlog, and `recover` is called until it succeeds.
A damaged file is set aside, and a new one created.

A caller waits `writer.SLOW_AFTER` seconds for a write at most. One that takes longer counts as kept in
memory until its commit comes back.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite import bookkeeping_table, errors, files, repair
from discordianai.conversations.sqlite.checkpoints import Checkpointer
from discordianai.conversations.sqlite.connections import Connections
from discordianai.conversations.sqlite.errors import ErrorKind
from discordianai.conversations.sqlite.files import DatabaseLock, lock_path
from discordianai.conversations.sqlite.migration_log import logged_migration
from discordianai.conversations.sqlite.readers import Readers
from discordianai.conversations.sqlite.writer import (
    SLOW_AFTER,
    Backlog,
    QueuedWrite,
    SlowDisk,
    Write,
    WriteOutcome,
    Writer,
)
from discordianai.conversations.store import Health, KeptInMemory, StoreError
from discordianai.guard import Guard
from discordianai.metric import Latencies, Latency
from discordianai.safe_files import UnsafeFile, located

LOCK_PATIENCE = 0.5
"""Seconds that a start waits for its database: an operator's commands hold the lock for moments."""

LAST_TRY = 5.0
"""Seconds to write what is still kept in memory when the bot ends."""

Result = TypeVar("Result")


class Database:
    """Made by `open_database`; `run` is its task."""

    def __init__(self, path: Path, lock: DatabaseLock, ask_for_time: Callable[[], object]) -> None:
        self._path = path
        self._ask_for_time = ask_for_time
        self._lock = lock
        self._connections: Connections | None = None
        self._damaged = False
        self._readers = Readers()
        self._writer = Writer(lambda: self._connections.writer if self._connections else None)
        self._checkpointer = Checkpointer(
            self._writer, lambda: self.write(Write(bookkeeping_table.probe, wait=False))
        )
        self._thread = trio.CapacityLimiter(1)
        self._log = structlog.get_logger("discordianai.conversations")
        self._guard = Guard(self._log, "bug after a write")
        self._health = Health()
        self._logged: set[str] = set()
        self._slow = SlowDisk(self._log)
        self._read_waits = Latencies()
        self._backlog = Backlog()
        self._late: list[Write] = []
        self._storing: set[int] = set()

    @property
    def health(self) -> Health:
        """Whether the file accepts writes, and what waits."""
        kept = len(self._backlog) + len(self._late)
        return replace(self._health, slow=bool(self._slow), kept=kept, lost=self._backlog.lost)

    def kept_turns(self, key: ConversationKey) -> Iterator[bytes]:
        """What memory keeps for that conversation, packed, write by write."""
        for write in (*self._late, *self._backlog):
            if write.key == key:
                yield write.packed

    def is_storing(self, interaction_id: int) -> bool:
        """Whether the question of that interaction is being stored, or kept until it can be."""
        return interaction_id in self._storing or any(w.question == interaction_id for w in self._backlog)

    @property
    def waiting(self) -> int:
        """How many writes are queued."""
        return self._writer.waiting

    @property
    def committing(self) -> float:
        """Seconds since the current transaction began to be written."""
        return self._writer.committing

    @property
    def commits(self) -> int:
        """How many transactions were written."""
        return self._writer.commits

    @property
    def waits(self) -> tuple[Latency, Latency]:
        """How long reads took, and writes until they were on disk, with the wait for their turn."""
        return self._read_waits.now(), self._writer.waits.now()

    @property
    def log_pages(self) -> int:
        """The length of the write-ahead log at the last checkpoint."""
        return self._checkpointer.log_pages

    @property
    def longest_pause(self) -> float:
        """The longest time in seconds for which a checkpoint delayed the writes."""
        return self._checkpointer.longest_pause

    async def run(self) -> None:
        """Write until `finish_writing`."""
        await self._writer.run()

    async def checkpoint_due(self) -> None:
        """Wait until the log has grown so much that a checkpoint is due."""
        await self._writer.checkpoint_due()

    async def finish_writing(self) -> None:
        """Accept no more writes; try once more to write what is kept in memory."""
        with trio.move_on_after(LAST_TRY, shield=True):
            if len(self._backlog):
                await self.recover()
        if len(self._backlog):
            self._log.error("changes kept in memory were lost", changes=len(self._backlog))
        self._writer.close()

    async def read(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query in a thread. Raises `StoreError`."""
        if self._connections is None:
            raise StoreError(self._health.reason)
        began = trio.current_time()
        try:
            return await self._readers.run(query)
        except sqlite3.Error as error:
            self._note_error(error)
            raise StoreError(f"the database cannot be read: {errors.reason(error)}") from error
        finally:
            self._read_waits.note(trio.current_time() - began)

    async def write(self, write: Write) -> Any:  # what the statements return
        """Commit a write. Raises `StoreError`; `KeptInMemory` where it will be committed later.

        Cancelled, it may be committed or not; `on_commit` or `on_failure` is called in any case.
        """
        if not self._health.writable:
            error = self._keep(write)
            await trio.lowlevel.checkpoint()
            raise error
        done, queued, outcome = trio.Event(), False, WriteOutcome()
        began = trio.current_time()
        if write.question is not None:
            self._storing.add(write.question)

        def settle(settled: WriteOutcome) -> None:
            nonlocal outcome
            outcome = self._settle(write, settled, trio.current_time() - began)
            done.set()

        try:
            with trio.move_on_after(SLOW_AFTER if write.wait else math.inf):
                await self._writer.queue.send(QueuedWrite(write.statements, settle))
                queued = True
                await done.wait()
        except BaseException as error:
            if not queued:
                self._no_longer_storing(write)
                write.on_failure()
            if isinstance(error, trio.ClosedResourceError):
                raise StoreError("the store is closed") from None
            raise
        if not done.is_set():
            raise self._keep_late(write, queued=queued)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _no_longer_storing(self, write: Write) -> None:
        if write.question is not None:
            self._storing.discard(write.question)

    def _settle(self, write: Write, outcome: WriteOutcome, seconds: float) -> WriteOutcome:
        """Call what follows a write; return the outcome for its caller."""
        self._slow.note(seconds)
        self._no_longer_storing(write)
        if write in self._late:
            self._late.remove(write)
        try:
            if outcome.error is None:
                write.on_commit(outcome.value)
                return outcome
            return WriteOutcome(error=self._refused(write, outcome.error))
        except Exception as bug:
            return WriteOutcome(error=bug)

    def _refused(self, write: Write, cause: Exception) -> StoreError:
        self._note_error(cause)
        if not self._health.writable:
            return self._keep(write)
        write.on_failure()
        error = StoreError(f"the database refused it: {cause}")
        error.__cause__ = cause
        return error

    def _keep(self, write: Write) -> StoreError:
        if not write.wait:
            write.on_failure()
            return StoreError(self._health.reason)
        self._backlog.add(write)
        return KeptInMemory(self._health.reason)

    def _keep_late(self, write: Write, *, queued: bool) -> StoreError:
        """The write has not returned: the writer has it, or it did not even get into its queue."""
        self._slow.note(SLOW_AFTER)
        if not queued:
            self._no_longer_storing(write)  # the backlog has it
            self._mark_unwritable(f"the database {self._path} cannot be used: its disk is too slow")
            return self._keep(write)
        self._late.append(write)
        return KeptInMemory(f"the disk of the database {self._path} is slow")

    def _note_error(self, error: Exception) -> None:
        """Learn about the database from an error, whichever call raised it."""
        kind = errors.kind_of(error)
        if kind is ErrorKind.STATEMENT and self._connections is not None:
            return
        if kind is ErrorKind.CORRUPT:
            self._damaged = True
        what = "is damaged" if self._damaged else "cannot be used"
        self._mark_unwritable(f"the database {self._path} {what}: {errors.reason(error)}")

    def _mark_unwritable(self, reason: str) -> None:
        """Log each reason once until the database can be written again."""
        if self._health.writable:
            self._health = Health(writable=False, reason=reason, since=time.time())
            self._log.error("conversations are kept in memory only", reason=reason)
        elif reason not in self._logged:
            self._log.error("conversations are still kept in memory only", reason=reason)
        self._logged.add(reason)
        self._health = replace(self._health, reason=reason)

    async def check_file(self) -> bool:
        """Whether the file was removed or replaced, so that writes to it would be lost when it is closed."""
        self._slow.check()
        present = self._connections
        if present is None:
            return False
        replaced = await trio.to_thread.run_sync(
            repair.was_replaced, self._path, present, limiter=self._thread
        )
        if replaced:
            self._mark_unwritable(f"the database {self._path} was removed or replaced while in use")
        return replaced

    async def recover(self) -> bool:
        """Try to make the database usable again; whether it takes writes, and what waited is written."""
        async with self._checkpointer.paused(), self._writer.paused(), self._readers.paused():
            try:
                connections = await trio.to_thread.run_sync(self._reopen, limiter=self._thread)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._damaged = self._damaged or errors.kind_of(error) is ErrorKind.CORRUPT
                self._mark_unwritable(f"the database {self._path} cannot be used: {errors.reason(error)}")
                return False
            if connections is not self._connections:
                self._use(connections)
        return await self._write_backlog()

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
            self._mark_unwritable(f"the database {self._path} cannot be used: {errors.reason(error)}")

    def _reopen(self) -> Connections:
        """In a thread: connections that take writes. Nothing uses the present ones meanwhile."""
        present = self._connections
        if present is not None:
            if not self._damaged and repair.check_writable(self._path, present):
                return present
            self._connections = None
            repair.close(self._path, present)
        if self._damaged:
            repair.set_aside(self._path)
            self._damaged = False
        return self._open()

    def _open(self) -> Connections:
        if not files.is_foreign(self._path):
            files.tighten(self._path, self._log)
        with logged_migration(self._ask_for_time) as report:
            return repair.open_or_begin_anew(self._path, report)

    def _use(self, connections: Connections) -> None:
        self._connections = connections
        self._readers = Readers(connections.readers)
        self._damaged = False

    async def _write_backlog(self) -> bool:
        """Write what waits, oldest first; after that, writes are direct."""
        while len(self._backlog):
            write = self._backlog.first
            done = trio.Event()
            outcome = WriteOutcome()

            def settle(settled: WriteOutcome, done: trio.Event = done) -> None:
                nonlocal outcome
                outcome = settled
                done.set()

            await self._writer.queue.send(QueuedWrite(write.statements, settle))
            with trio.CancelScope(shield=True):  # the writer settles it soon
                await done.wait()
            if outcome.error is not None and errors.kind_of(outcome.error) is not ErrorKind.STATEMENT:
                self._note_error(outcome.error)
                return False
            if len(self._backlog) and self._backlog.first is write:
                self._backlog.remove_first()
                with self._guard:
                    write.on_failure() if outcome.error else write.on_commit(outcome.value)
        self._log.info("conversations are kept in the database again")
        self._health = Health()
        self._logged.clear()
        return True

    async def checkpoint(self, *, truncate: bool = False) -> bool:
        """See `Checkpointer.run`. Raises `StoreError`."""
        if not self._health.writable:
            return False
        try:
            return await self._checkpointer.run(lambda: self._connections, truncate=truncate)
        except (sqlite3.Error, OSError) as error:
            self._note_error(error)
            return False

    def release(self) -> None:
        """Release the database for the next bot."""
        self._lock.release()

    async def close(self) -> None:
        """Close the file and release it for the next bot. Nothing may be running any more."""

        def close() -> None:
            try:
                if self._connections is not None:
                    repair.close(self._path, self._connections)
            finally:
                self.release()

        await trio.to_thread.run_sync(close, limiter=self._thread)


async def open_database(path: Path, ask_for_time: Callable[[], object]) -> Database:
    """Lock and open the database; close it at the end. Raises `StoreError`.

    `ask_for_time` is called on the trio thread every few seconds while a migration lasts.
    """
    database = await trio.to_thread.run_sync(_lock, path, ask_for_time)
    try:
        await database.open()
    except BaseException:
        database.release()
        raise
    return database


def _lock(path: Path, ask_for_time: Callable[[], object]) -> Database:
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
