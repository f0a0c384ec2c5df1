"""The open database as the trio thread sees it: reads, writes, checkpoints, and getting well again.

While the file takes nothing (a full or read-only disk, another program's lock) or is not to be trusted (a
damaged page), `health` says so, what was to be written waits in a bounded backlog, and `recover` is called
until it succeeds. A damaged file is set aside, and a fresh one begun.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import structlog
import trio

from discordianai.conversations.sqlite import errors as sqlite_errors
from discordianai.conversations.sqlite import files as database_files
from discordianai.conversations.sqlite import repair
from discordianai.conversations.sqlite.backlog import Backlog, PendingWrite
from discordianai.conversations.sqlite.checkpoints import Checkpointer
from discordianai.conversations.sqlite.connections import Connections, is_foreign
from discordianai.conversations.sqlite.errors import Trouble
from discordianai.conversations.sqlite.lock import DatabaseLock, lock_path
from discordianai.conversations.sqlite.migration_log import logged_migration
from discordianai.conversations.sqlite.readers import Readers
from discordianai.conversations.sqlite.writer import Write, WriteOutcome, Writer
from discordianai.conversations.store import Health, KeptInMemory, StoreError
from discordianai.guard import Guard
from discordianai.latencies import Latencies, Latency
from discordianai.safe_files import UnsafeFile, located

LOCK_PATIENCE = 0.5
"""Seconds that a start waits for its database: an operator's commands hold the lock for moments."""

LAST_TRY = 5.0
"""Seconds at the end for what waits in memory."""

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
            self._writer, lambda: self.write(PendingWrite(repair.touch, keepable=False))
        )
        self._thread = trio.CapacityLimiter(1)
        self._log = structlog.get_logger("discordianai.conversations")
        self._guard = Guard(self._log, "a bug in what follows a write")
        self._health = Health()
        self._read_waits = Latencies()
        self.backlog = Backlog()

    @property
    def health(self) -> Health:
        """Whether the file takes writes, and what waits."""
        return replace(self._health, kept=len(self.backlog), lost=self.backlog.lost)

    @property
    def waiting(self) -> int:
        """How many writes are queued."""
        return self._writer.waiting

    @property
    def committing(self) -> float:
        """Seconds for which the present transaction has been written."""
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
        """Seconds for which a checkpoint held up the writes at most."""
        return self._checkpointer.longest_pause

    async def run(self) -> None:
        """Write until `close_writer`."""
        await self._writer.run()

    async def much_written(self) -> None:
        """Wait until there is so much in the log that a checkpoint is due."""
        await self._writer.much_written()

    async def end_writing(self) -> None:
        """Take no more writes; try once more to write what waits in memory."""
        with trio.move_on_after(LAST_TRY, shield=True):
            if len(self.backlog):
                await self.recover()
        if len(self.backlog):
            self._log.error("changes kept in memory are lost", changes=len(self.backlog))
        self._writer.close()

    async def read(self, call: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a query in a thread. Raises `StoreError`."""
        if self._connections is None:
            raise StoreError(self._health.reason)
        began = trio.current_time()
        try:
            return await self._readers.run(call)
        except sqlite3.Error as error:
            self._meet(error)
            raise StoreError(f"the database cannot be read: {sqlite_errors.reason(error)}") from error
        finally:
            self._read_waits.note(trio.current_time() - began)

    async def write(self, change: PendingWrite) -> Any:  # what the change's call returns
        """Commit a change. Raises `StoreError`; `KeptInMemory` where it will be written later.

        Cancelled, it may be written or not; `applied` or `failed` is called in any case.
        """
        done = trio.Event()
        outcome = WriteOutcome()

        def settle(settled: WriteOutcome) -> None:
            nonlocal outcome
            try:
                outcome = self._settle(change, settled)
            except Exception as bug:
                outcome = WriteOutcome(error=bug)
            done.set()

        if self._health.writable:
            await self._submit(Write(change.call, settle), change)
            await done.wait()
        else:
            outcome = WriteOutcome(error=self._keep(change))
            await trio.lowlevel.checkpoint()
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    async def _submit(self, write: Write, change: PendingWrite) -> None:
        try:
            await self._writer.submit(write)
        except trio.ClosedResourceError:
            change.failed()
            raise StoreError("the store is closed") from None
        except BaseException:
            change.failed()
            raise

    def _settle(self, change: PendingWrite, outcome: WriteOutcome) -> WriteOutcome:
        """Tell the change how it went; the outcome for its caller."""
        if outcome.error is None:
            change.applied(outcome.value)
            return outcome
        self._meet(outcome.error)
        if not self._health.writable:
            return WriteOutcome(error=self._keep(change))
        change.failed()
        error = StoreError(f"the database refused it: {outcome.error}")
        error.__cause__ = outcome.error
        return WriteOutcome(error=error)

    def _keep(self, change: PendingWrite) -> StoreError:
        if not change.keepable:
            change.failed()
            return StoreError(self._health.reason)
        self.backlog.add(change)
        return KeptInMemory(self._health.reason)

    def _meet(self, error: Exception) -> None:
        """Learn from an error that anybody met."""
        kind = sqlite_errors.trouble(error)
        if kind is Trouble.NONE and self._connections is not None:
            return
        if kind is Trouble.DAMAGED:
            self._damaged = True
        what = "is damaged" if self._damaged else "cannot be written"
        self._worsen(f"the database {self._path} {what}: {sqlite_errors.reason(error)}")

    def _worsen(self, reason: str) -> None:
        if self._health.writable:
            self._log.error("conversations are kept in memory only", reason=reason)
            self._health = Health(writable=False, reason=reason, since=time.time())
        elif reason != self._health.reason:
            self._log.error("conversations are still kept in memory only", reason=reason)
            self._health = replace(self._health, reason=reason)

    async def look(self) -> bool:
        """Whether the file was removed or replaced: what goes there now is lost at the end."""
        present = self._connections
        if present is None:
            return False
        elsewhere = await trio.to_thread.run_sync(
            repair.is_elsewhere, self._path, present, limiter=self._thread
        )
        if elsewhere:
            self._worsen(f"the database {self._path} was removed or replaced while in use")
        return elsewhere

    async def recover(self) -> bool:
        """Try to get well; whether it takes writes again. What waited has been written then."""
        async with self._checkpointer.paused(), self._writer.paused(), self._readers.paused():
            try:
                connections = await trio.to_thread.run_sync(self._reopen, limiter=self._thread)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._worsen(f"the database {self._path} cannot be used: {sqlite_errors.reason(error)}")
                self._damaged = self._damaged or sqlite_errors.trouble(error) is Trouble.DAMAGED
                return False
            if connections is not self._connections:
                self._use(connections)
        return await self._write_backlog()

    async def open(self) -> None:
        """Open the file at the start. Raises `StoreError` where trying again would be no use."""
        try:
            await trio.lowlevel.checkpoint()
            self._use(await trio.to_thread.run_sync(self._open, limiter=self._thread))
        except StoreError as error:
            raise StoreError(f"the database {self._path} cannot be used: {error}") from error
        except (sqlite3.Error, OSError) as error:
            if sqlite_errors.trouble(error) is Trouble.NONE:
                raise StoreError(f"the database {self._path} cannot be opened: {error}") from error
            self._worsen(f"the database {self._path} cannot be used: {sqlite_errors.reason(error)}")

    def _reopen(self) -> Connections:
        """In a thread: connections that take writes. Nobody uses the present ones."""
        present = self._connections
        if present is not None:
            if not self._damaged and repair.takes_writes(self._path, present):
                return present
            self._connections = None
            repair.close(self._path, present)
        if self._damaged:
            repair.set_damaged_aside(self._path)
            self._damaged = False
        return self._open()

    def _open(self) -> Connections:
        with logged_migration(self._ask_for_time) as report:
            connections = repair.open_sound(self._path, report)
        for file, mode in database_files.open_to_others(self._path).items():
            self._log.warning("others may read what people said", file=str(file), mode=f"{mode:o}")
        return connections

    def _use(self, connections: Connections) -> None:
        self._connections = connections
        self._readers = Readers(connections.readers)
        self._damaged = False

    async def _write_backlog(self) -> bool:
        """Write what waits, oldest first, and from then on directly."""
        while len(self.backlog):
            change = self.backlog.first
            done = trio.Event()
            outcome = WriteOutcome()

            def settle(settled: WriteOutcome, done: trio.Event = done) -> None:
                nonlocal outcome
                outcome = settled
                done.set()

            await self._writer.submit(Write(change.call, settle))
            with trio.CancelScope(shield=True):  # the writer settles it soon
                await done.wait()
            if outcome.error is not None and sqlite_errors.trouble(outcome.error) is not Trouble.NONE:
                self._meet(outcome.error)
                return False
            if len(self.backlog) and self.backlog.first is change:
                self.backlog.remove_first()
                with self._guard:
                    change.failed() if outcome.error else change.applied(outcome.value)
        self._log.info("conversations are kept in the database again")
        self._health = Health()
        return True

    async def checkpoint(self, *, truncate: bool = False) -> bool:
        """See `Checkpointer.run`. Raises `StoreError`."""
        if not self._health.writable:
            return False
        try:
            return await self._checkpointer.run(lambda: self._connections, truncate=truncate)
        except (sqlite3.Error, OSError) as error:
            self._meet(error)
            return False

    def release(self) -> None:
        """Let the next bot have the database."""
        self._lock.release()

    async def close(self) -> None:
        """Close the file and let the next bot have it. Nothing may be running any more."""

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
        if is_foreign(path) and not lock_path(path).exists():
            raise StoreError(f"the database {path} cannot be used: it is not a database; name another file")
        database_files.refuse_unsafe(path)
    except UnsafeFile as error:
        raise StoreError(f"the database {path} cannot be used: {error}") from None
    except OSError:
        pass  # a disk that fails now may work again
    try:
        return Database(path, DatabaseLock(path, LOCK_PATIENCE), ask_for_time)
    except OSError as error:
        raise StoreError(f"the database {path} cannot be locked: {error}") from error
