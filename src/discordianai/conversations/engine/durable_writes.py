"""Writes that are committed, or reported as not committed: the same for every engine.

While the database takes nothing, `health` says so, writes wait in a bounded backlog, and the engine tries to
open it again until `write_backlog` succeeds. A caller waits at most `SLOW_AFTER` seconds for a write that may
be kept in memory, and counts it as kept until its commit comes back.
"""

import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import structlog
import trio

from discordianai.conversations.accounting import Spent
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.backlog import Backlog, Write
from discordianai.conversations.engine.outages import SLOW_AFTER, Outages, Slowness
from discordianai.conversations.engine.writer import QueuedWrite, WriteOutcome, Writer
from discordianai.conversations.store import Health, KeptInMemory, StoreError
from discordianai.guard import Guard
from discordianai.metric import Latency

LAST_TRY = 5.0
"""Seconds to write what is still kept in memory when the bot ends."""

TOO_MANY = "changes kept in memory are lost: there are too many"

Statements = TypeVar("Statements")
_Contra = TypeVar("_Contra", contravariant=True)


class Engine(Protocol[_Contra]):
    """What a database does for `DurableWrites`."""

    @property
    def label(self) -> str:
        """What the database is called in texts for the operator, after `the database`."""

    @property
    def slow_part(self) -> str:
        """What is to blame where writes take long, in words."""

    @property
    def longest_write(self) -> float:
        """Seconds after which even a write that may not wait in memory is given up."""

    async def commit(self, group: Sequence[_Contra]) -> Sequence[WriteOutcome]:
        """See `writer.Commit`."""

    async def recover(self) -> bool:
        """Try to make the database usable again; whether it takes writes, and what waited is written."""

    def diagnose(self, error: Exception) -> str:
        """What an error says about the database, in a sentence; empty where only its statement failed."""

    def reason(self, error: Exception) -> str:
        """The error in a few words for the operator."""


class DurableWrites(Generic[Statements]):
    """On the trio thread; `run` is its task."""

    def __init__(self, engine: Engine[Statements]) -> None:
        self._engine = engine
        self._writer = Writer[Statements](self._commit)
        self._log = structlog.get_logger("discordianai.conversations.engine.durable_writes")
        self._guard = Guard(self._log, "bug after a write")
        self._health = Health()
        self._logged: set[str] = set()
        self._outages = Outages(self._log)
        self._slow = Slowness(engine.slow_part, self._log)
        self._backlog = Backlog[Statements]()
        self._late: list[Write[Statements]] = []
        self._storing: set[int] = set()
        self._cause: Exception | None = None
        self._recovering = False
        self.give_up_at = math.inf
        """When the engine stops waiting for a database that is away, by trio's clock."""

    @property
    def health(self) -> Health:
        """Whether the database accepts writes, and what waits."""
        kept = len(self._backlog) + len(self._late)
        return replace(self._health, slow=bool(self._slow), kept=kept, lost=self._backlog.lost)

    @property
    def writable(self) -> bool:
        """Whether the database takes writes at present."""
        return self._health.writable

    def kept_turns(self, key: ConversationKey) -> Iterator[bytes]:
        """What memory keeps for that conversation, packed, write by write."""
        for write in (*self._late, *self._backlog):
            if write.key == key:
                yield write.packed

    def kept_charges(self, day: str, person_id: int | None, guild_id: int | None) -> Spent:
        """The sum of what memory keeps of that day, of that person and of that server if they are given."""
        spent = Spent()
        for charge in (charge for write in (*self._late, *self._backlog) for charge in write.charges):
            is_theirs = person_id in {None, charge.person_id} and guild_id in {None, charge.guild_id or 0}
            if is_theirs and charge.day == day:
                spent = spent.plus(charge.usage, charge.cost)
        return spent

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
    def waits(self) -> Latency:
        """How long writes took until they were durable, with the wait for their turn."""
        return self._writer.waits.now()

    async def run(self) -> None:
        """Write until `finish`, and what is queued then."""
        await self._writer.run()
        if len(self._backlog):
            self._log.error("changes kept in memory were lost", changes=len(self._backlog))

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Nothing is written while the block runs."""
        async with self._writer.paused():
            yield

    async def finish(self) -> None:
        """Try once more to write what is kept in memory; then accept no more writes."""
        self.give_up_at = trio.current_time() + LAST_TRY
        with trio.move_on_after(LAST_TRY, shield=True):
            if len(self._backlog):
                await self._engine.recover()
        self._writer.close()

    def check(self) -> None:
        """Call periodically: logs once writes are no longer slow."""
        self._slow.check()
        self._outages.check()

    async def write(self, write: Write[Statements]) -> Any:  # what the statements return
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
            with trio.move_on_after(SLOW_AFTER if write.deferrable else self._engine.longest_write):
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

    async def _commit(self, group: Sequence[Statements]) -> Sequence[WriteOutcome]:
        """What was queued before the database failed must not overtake what failed: a reset its turns."""
        if self._cause is not None and not self._recovering:
            await trio.lowlevel.checkpoint()
            return [WriteOutcome(error=self._cause)] * len(group)
        return await self._engine.commit(group)

    def _no_longer_storing(self, write: Write[Statements]) -> None:
        if write.question is not None:
            self._storing.discard(write.question)

    def _settle(self, write: Write[Statements], outcome: WriteOutcome, seconds: float) -> WriteOutcome:
        """Call what follows a write; return the outcome for its caller."""
        if outcome.error is None:
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

    def _refused(self, write: Write[Statements], cause: Exception) -> Exception:
        if isinstance(cause, StoreError):  # the statements themselves refused it
            write.on_failure()
            return cause
        self.note_error(cause)
        if not self._health.writable:
            return self._keep(write)
        write.on_failure()
        error = StoreError(f"the database refused it: {self._engine.reason(cause)}")
        error.__cause__ = cause
        return error

    def _keep(self, write: Write[Statements]) -> StoreError:
        if not write.deferrable:
            write.on_failure()
            return StoreError(self._health.reason)
        lost = self._backlog.lost
        self._backlog.add(write)
        if self._backlog.lost > lost and TOO_MANY not in self._logged:
            self._log.error(TOO_MANY)
            self._logged.add(TOO_MANY)
        return KeptInMemory(self._health.reason)

    def _keep_late(self, write: Write[Statements], *, queued: bool) -> StoreError:
        """The write has not returned: the writer has it, or it did not even get into its queue."""
        self._slow.note(SLOW_AFTER)
        part, label = self._engine.slow_part, self._engine.label
        if not queued:
            self._no_longer_storing(write)  # the backlog has it
            self.mark_unwritable(f"the database {label} cannot be used: {part} is too slow")
            return self._keep(write)
        if not write.deferrable:
            return StoreError(f"the database {label} did not say in time whether it was done")
        self._late.append(write)
        return KeptInMemory(f"the database {label} takes long: {part} is slow")

    def note_error(self, error: Exception) -> None:
        """Learn about the database from an error, whichever call raised it."""
        if reason := self._engine.diagnose(error):
            self._cause = error
            self.mark_unwritable(reason)

    def mark_unwritable(self, reason: str) -> None:
        """Log each reason once until the database can be written again."""
        if self._health.writable:
            self._health = Health(writable=False, reason=reason, since=time.time())
            self._outages.begin(reason)
        elif reason not in self._logged:
            self._log.error("conversations are still kept in memory only", reason=reason)
        self._logged.add(reason)
        self._health = replace(self._health, reason=reason)

    async def write_backlog(self) -> bool:
        """The database is open again: write what waits, oldest first; after that, writes are direct."""
        self._recovering = True
        try:
            written = await self._write_backlog()
        finally:
            self._recovering = False
        if written:
            if not self._health.writable:
                self._outages.end()
            self._health, self._cause = Health(), None
            self._logged.clear()
        return written

    def _tell_of_refusal(self, error: Exception | None) -> None:
        """Nobody waits for it any more. A `StoreError` is the statements' own, such as of a lost claim."""
        if error is not None and not isinstance(error, StoreError):
            self._log.error("a change kept in memory was refused", reason=self._engine.reason(error))

    async def _write_backlog(self) -> bool:
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
            if outcome.error is not None and (reason := self._engine.diagnose(outcome.error)):
                self.mark_unwritable(reason)
                return False
            if self._backlog.remove(write):
                with self._guard:
                    self._tell_of_refusal(outcome.error)
                    write.on_failure() if outcome.error else write.on_commit(outcome.value)
        return True
