"""The server as the trio thread sees it: reads, writes, and what is done while it is away.

While it is away, writes wait in memory (see `durable_writes`), reads fail at once, and `recover` is called
until it succeeds.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
import structlog
import trio

from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.durable_writes import DurableWrites
from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.postgres import errors, processes_table
from discordianai.conversations.postgres.batches import Batch
from discordianai.conversations.postgres.connections import (
    PostgresServer,
    connect,
    crosses_network_in_the_clear,
)
from discordianai.conversations.postgres.group_commit import Doubt, Failed, GroupCommit
from discordianai.conversations.postgres.migrations import migrate
from discordianai.conversations.postgres.processes_table import OwnRow, SteadyTime
from discordianai.conversations.postgres.readers import READ_WITHIN, PostgresReaders, run
from discordianai.conversations.store import StoreError
from discordianai.metric import Latencies, Latency

OPEN_WITHIN = 90.0
"""Seconds for the version of the schema and, where another process migrates it, for that."""

CONNECT_READER_WITHIN = 2

DECIDE_EVERY = 1.0

TRIES = 3
"""Of a transaction that others are in the way of, such as in a deadlock, which the server ends."""

Report = Callable[[int], object]


class PostgresClient:
    """It is the engine of its own `writes`. `report` is of a migration."""

    slow_part = "the server"
    longest_write = 10.0
    """A write that may not wait in memory ends by then, in words."""

    def __init__(self, server: PostgresServer, report: Report) -> None:
        self._server = server
        self._report = report
        self._own = OwnRow.new()
        self._group = GroupCommit(partial(connect, server), self._own)
        self._readers = PostgresReaders(partial(connect, server, CONNECT_READER_WITHIN))
        self.writes = DurableWrites[Batch](self)
        self.steady_time = SteadyTime()
        self._writing_thread = trio.CapacityLimiter(1)
        self._thread = trio.CapacityLimiter(1)
        self._log = structlog.get_logger("discordianai.conversations.postgres.database")
        self._read_waits = Latencies()
        self._away = True
        self._began: float | None = None
        self.unencrypted = False

    @property
    def label(self) -> str:
        """See `Engine.label`."""
        return self._server.label

    @property
    def process(self) -> int:
        """The id under which this process owns questions."""
        return self._own.process

    @property
    def reads(self) -> Latency:
        """How long reads took, with the wait for their turn."""
        return self._read_waits.now()

    @property
    def committing(self) -> float:
        """Seconds that the present try of a transaction has taken. None is long: each has an end.

        To wait for a server that is away, until it says what became of a transaction, is no sign of a writer
        that hangs.
        """
        return 0.0 if self._began is None else trio.current_time() - self._began

    async def open(self) -> None:
        """Connect at the start. Raises `StoreError` where trying again is pointless."""
        try:
            await self._connect()
        except StoreError as error:
            raise StoreError(f"the database {self.label} cannot be used: {error}") from error
        except (psycopg.Error, OSError) as error:
            self.steady_time.interrupt()
            self.writes.mark_unwritable(self._unusable(error))

    async def recover(self) -> bool:
        """See `Engine.recover`."""
        try:
            await self._connect()
        except StoreError as error:
            self.writes.mark_unwritable(f"the database {self.label} cannot be used: {error}")
            return False
        except (psycopg.Error, OSError) as error:
            self.writes.mark_unwritable(self._unusable(error))
            return False
        if not await self.writes.write_backlog():
            return False
        self._away = False  # also where a read that began before has failed meanwhile
        return True

    async def _connect(self) -> None:
        self.steady_time.note(await trio.to_thread.run_sync(self._prepare, limiter=self._thread))
        self._away = False

    def _prepare(self) -> float:
        """In a thread: see that the server takes writes, that the tables are there, and this process's row.

        The row is committed before anything else is, so that a transaction in doubt can be looked up. Returns
        the server's time then.
        """
        connection = connect(self._server)
        try:
            with connection.within(OPEN_WITHIN):
                self.unencrypted = crosses_network_in_the_clear(connection)
                migrate(connection, self._report)
                [(at,)] = connection.execute(self._own.register()).fetchall()
                return float(at)
        finally:
            connection.close()

    async def read(self, query: Batch, within: float = READ_WITHIN) -> Any:  # what its `result` gives
        """Run a query. Raises `StoreError`."""
        if self._away:
            await trio.lowlevel.checkpoint()
            raise StoreError(self.writes.health.reason)
        began = trio.current_time()
        try:
            return await self._readers.run(query, within)
        except (psycopg.Error, OSError) as error:
            self.writes.note_error(error)
            raise StoreError(f"the database cannot be read: {errors.reason(error)}") from None
        except trio.TooSlowError:
            raise StoreError("the database cannot be read: too many reads wait for it") from None
        finally:
            self._read_waits.note(trio.current_time() - began)

    async def write(self, write: Write[Batch]) -> Any:  # what the batch's `result` gives
        """See `DurableWrites.write`."""
        return await self.writes.write(write)

    async def commit(self, group: Sequence[Batch]) -> Sequence[WriteOutcome]:
        """See `Engine.commit`: all in one transaction where that is possible, else each in its own."""
        done = await self._decided(group)
        if not isinstance(done, Failed):
            return done
        outcomes: list[WriteOutcome] = []
        while len(group) > 1 and done.next_may_succeed and len(outcomes) < len(group):
            alone = await self._decided(group[len(outcomes) : len(outcomes) + 1])
            if isinstance(alone, Failed):
                done, alone = alone, [WriteOutcome(error=alone.error)]
            outcomes += alone
        return outcomes + [WriteOutcome(error=done.error)] * (len(group) - len(outcomes))

    async def _decided(self, group: Sequence[Batch]) -> Sequence[WriteOutcome] | Failed:
        """Commit, again where others were in the way."""
        done = await self._decided_once(group)
        for _ in range(TRIES - 1):
            if not isinstance(done, Failed) or not errors.is_conflict(done.error):
                break
            done = await self._decided_once(group)
        return done

    async def _decided_once(self, group: Sequence[Batch]) -> Sequence[WriteOutcome] | Failed:
        """Commit. A transaction that is in doubt is decided, however long that takes."""
        done = await self._commit(group)
        while isinstance(done, Doubt):
            try:
                took_place = await trio.to_thread.run_sync(
                    self._group.decide, done, limiter=self._writing_thread
                )
            except (psycopg.Error, OSError, StoreError) as error:
                if trio.current_time() > self.writes.give_up_at:
                    return Failed(error)
                self.writes.note_error(error)
                await trio.sleep(DECIDE_EVERY)
            else:
                self._log.info("interrupted commit looked up", took_place=took_place)
                done = done.outcomes if took_place else await self._commit(group)
        return done

    async def _commit(self, group: Sequence[Batch]) -> Sequence[WriteOutcome] | Doubt | Failed:
        self._began = trio.current_time()
        try:
            return await trio.to_thread.run_sync(self._group.commit, group, limiter=self._writing_thread)
        finally:
            self._began = None

    def diagnose(self, error: Exception) -> str:
        """See `Engine.diagnose`."""
        if errors.kind_of(error) is ErrorKind.STATEMENT:
            return ""
        self._away = self._away or errors.lost_connection(error)
        return self._unusable(error)

    def _unusable(self, error: Exception) -> str:
        return f"the database {self.label} cannot be used: {errors.reason(error)}"

    def reason(self, error: Exception) -> str:
        """See `Engine.reason`."""
        return errors.reason(error)

    async def vacuum(self, tables: Sequence[str], within: float) -> None:
        """Let the server use the space of removed rows again.

        Abandoned when cancelled: it may take long, and hurts nobody. Raises `psycopg.Error`, `OSError` and
        `StoreError`.
        """

        def work() -> None:
            connection = connect(self._server)
            try:
                with connection.within(within):
                    for table in tables:
                        connection.execute(f"VACUUM (SKIP_LOCKED) {table}")  # our own names
            finally:
                connection.close()

        await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))

    async def close(self) -> None:
        """Leave the database, so that others take over at once what is left. Nothing may be running."""
        await trio.to_thread.run_sync(self._close, limiter=self._thread)

    def _close(self) -> None:
        self._group.close()
        self._readers.close()
        if self._away:
            return
        try:
            connection = connect(self._server, CONNECT_READER_WITHIN)
            try:
                run(connection, processes_table.leave(self.process), READ_WITHIN)
            finally:
                connection.close()
        except (psycopg.Error, OSError, StoreError):
            return  # the lease ends by itself
