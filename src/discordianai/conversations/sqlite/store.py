"""The conversation store of the running bot: one SQLite file, with a cache in memory."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import trio

from discordianai.conversations import packing, window
from discordianai.conversations.accounting import Charge, Spent, SpentOn
from discordianai.conversations.cache import Cache
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.json_lines import newest_lines
from discordianai.conversations.engine.lifetime import running
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import (
    FinishedAnswer,
    PendingQuestion,
    Posted,
    QuestionAndAnswer,
    StoredQuestion,
    TurnId,
)
from discordianai.conversations.sqlite import (
    bookkeeping_table,
    channels_table,
    questions_table,
    removal,
    turns_table,
    usage_table,
)
from discordianai.conversations.sqlite.database import Database, lock_database
from discordianai.conversations.sqlite.export import exported
from discordianai.conversations.sqlite.group_commit import Statements
from discordianai.conversations.sqlite.maintenance import Maintenance, MaintenanceSchedule
from discordianai.conversations.sqlite.removal import Step
from discordianai.conversations.sqlite.turns_table import Removed
from discordianai.conversations.store import (
    IDENTIFIER_KEY_BYTES,
    ChannelSettings,
    Health,
    Removal,
    StoreError,
    StoreStatistics,
)
from discordianai.records import Question, Turn
from discordianai.system_clock import ClockReading

LONGEST_EMPTYING = 5.0
"""Seconds that a removal waits for the log to be emptied. Where a backup reads an older state for longer, the
maintenance task empties it later."""


class SqliteStore:
    """See `Store`; made by `open_store`."""

    def __init__(
        self,
        database: Database,
        options: ConversationOptions,
        pace: MaintenanceSchedule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._options = options
        self._clock = clock
        self._cache = Cache(options.cache_bytes, options.max_turns)
        self._own: set[int] | None = set()
        """The questions of this process, until those of earlier ones are taken over."""
        self._fresh_key = secrets.token_bytes(IDENTIFIER_KEY_BYTES)
        self._note_change, self._changes = trio.open_memory_channel[None](1)
        self.maintenance = Maintenance(database, options.ttl, self._changed, pace, clock)

    def _changed(self) -> None:
        self._cache.clear()
        with suppress(trio.WouldBlock):  # a former change has not been seen yet
            self._note_change.send_nowait(None)

    @property
    def health(self) -> Health:
        """See `Store.health`."""
        return self._database.writes.health

    @property
    def figures(self) -> StoreStatistics:
        """What the store does, in numbers."""
        writes = self._database.writes
        return StoreStatistics(
            conversations=self.maintenance.conversations,
            reads=self._database.reads,
            writes=writes.waits,
            cached_bytes=self._cache.size,
            cached_conversations=len(self._cache),
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            writes_waiting=writes.waiting,
            commits=writes.commits,
            committing=writes.committing,
            log_pages=self._database.log_pages,
            longest_pause=self._database.longest_pause,
        )

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """See `ConversationStore.recent`."""
        packed = self._cache.get(key)
        if packed is None:
            packed = await self._load(key)
        else:
            await trio.lowlevel.checkpoint()
        for kept in self._database.writes.kept_turns(key):
            if not packed.endswith(kept):  # a late write may have been committed and not yet settled
                packed += kept
        not_before = self._clock() - self._options.ttl
        return window.newest(packing.unpack(packed, limit), limit, not_before)

    async def _load(self, key: ConversationKey) -> bytes:
        permit = self._cache.reading(key)
        max_turns = self._options.max_turns
        try:
            packed = await self._database.read(lambda c: turns_table.read(c, key, max_turns))
        except StoreError:
            return b""  # logged, and in `health`
        else:
            # A copy made by this thread: other threads allocate in heaps of their own, and long-lived objects
            # keep those from shrinking. That took up to 20 MB more.
            self._cache.fill(permit, bytes(memoryview(packed)))
            return packed
        finally:
            self._cache.discard(permit)

    async def append(
        self,
        key: ConversationKey,
        turns: Sequence[Turn],
        *,
        person_id: int | None = None,
        guild_id: int | None = None,
    ) -> None:
        """See `ConversationStore.append`."""
        whose = key.person_id if person_id is None else person_id
        exchange = QuestionAndAnswer(key, tuple(turns), whose, guild_id)
        max_turns = self._options.max_turns
        await self._database.write(
            self._adding(exchange, lambda c: turns_table.append(c, exchange, max_turns))
        )

    def _adding(
        self, exchange: QuestionAndAnswer, statements: Statements, charges: tuple[Charge, ...] = ()
    ) -> Write[Statements]:
        """A write that adds an exchange, also to the cache.

        `statements` return None where they added nothing, because the interaction had been answered before.
        """
        key, packed = exchange.key, packing.pack(exchange.turns)
        self._cache.writing(key)

        def on_commit(added: object) -> None:
            self._cache.wrote(key, b"" if added is None else packed)

        on_failure = partial(self._cache.failed, key)
        return Write(statements, on_commit, on_failure, key=key, packed=packed, charges=charges)

    async def said(self, turn: TurnId) -> StoredQuestion | None:
        """See `ConversationStore.said`."""
        return await self._database.read(lambda c: turns_table.said(c, turn))

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """See `ConversationStore.export`."""

        def query(connection: Connection) -> tuple[bytes, bool]:
            lines = exported(connection, Selection(person_id=person_id), lambda *_: None)
            return newest_lines(lines, most_bytes)

        return await self._database.read(query)

    async def reset(self, key: ConversationKey) -> Removal:
        """See `ConversationStore.reset`."""
        removal = Write(
            lambda c: turns_table.remove(c, key), lambda _: self._cache.remove(key), deferrable=False
        )
        turns: int = await self._database.write(removal)
        return Removal(turns, await self._erase() if turns else True)

    async def forget(self, person_id: int) -> Removal:
        """See `ConversationStore.forget`."""
        return await self._remove_all(removal.of_person(person_id, self._clock()))

    async def drop_guild(self, guild_id: int) -> Removal:
        """See `ConversationStore.drop_guild`."""
        return await self._remove_all(removal.of_guild(guild_id, self._clock()))

    async def _remove_all(self, steps: Sequence[Step]) -> Removal:
        """Run each step until nothing is left, and erase it from the files."""
        turns = 0
        for step in steps:
            write = Write(step, lambda _: self._cache.clear(), deferrable=False)
            more = True
            while more:
                removed: Removed = await self._database.write(write)
                turns, more = turns + removed.turns, removed.more
        return Removal(turns, await self._erase())

    async def _erase(self) -> bool:
        """Empty the log, where what was removed still is; False where that has to wait for others."""
        self.maintenance.empty_log()
        with trio.move_on_after(LONGEST_EMPTYING):
            while not await self._database.checkpoint(truncate=True):  # noqa: ASYNC110  # the lock is SQLite's
                await trio.sleep(0.1)
            return True
        return False

    async def accept(self, question: Question) -> bool:
        """See `PendingQuestions.accept`."""
        interaction_id = question.address.interaction_id
        if self._database.writes.is_storing(interaction_id):
            return False

        def on_commit(accepted: bool) -> None:
            if accepted and self._own is not None:
                self._own.add(interaction_id)

        write: Write[Statements] = Write(
            partial(questions_table.insert, question=question, clock=ClockReading.now()),
            on_commit,
            question=interaction_id,
            size=4 * (len(question.text) + len(question.quotation.text if question.quotation else "")),
        )
        accepted: bool = await self._database.write(write)
        return accepted

    async def note_posted(self, interaction_id: int, posted: Posted, text: str) -> None:
        """See `PendingQuestions.note_posted`."""
        statements = partial(
            questions_table.note_posted, interaction_id=interaction_id, posted=posted, text=text
        )
        await self._database.write(Write(statements, size=4 * len(text)))

    async def answered(self, interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        """See `PendingQuestions.answered`."""
        statements = partial(
            questions_table.store_answer,
            interaction_id=interaction_id,
            answer=answer,
            max_turns=self._options.max_turns,
            now=self._clock(),
        )
        if answer.exchange is None:
            write: Write[Statements] = Write(statements, charges=answer.charges, size=4 * len(answer.text))
        else:
            write = self._adding(answer.exchange, statements, answer.charges)
        turn: TurnId | None = await self._database.write(write)
        return turn

    async def finish(self, interaction_id: int) -> None:
        """See `PendingQuestions.finish`."""
        now = self._clock()
        await self._database.write(Write(lambda c: questions_table.erase(c, interaction_id, now)))

    async def count_start(self, interaction_id: int) -> bool:
        """See `PendingQuestions.count_start`."""
        write = Write(lambda c: questions_table.add_starts(c, interaction_id, 1), deferrable=False)
        still_open: bool = await self._database.write(write)
        return still_open

    async def take_back_start(self, interaction_id: int) -> None:
        """See `PendingQuestions.take_back_start`."""
        await self._database.write(Write(lambda c: questions_table.add_starts(c, interaction_id, -1)))

    async def take_over(self) -> tuple[PendingQuestion, ...]:
        """See `PendingQuestions.take_over`. One process at a time has the file: the first time takes all."""
        if self._own is None:
            await trio.lowlevel.checkpoint()
            return ()
        left = await self._database.read(partial(questions_table.unfinished, clock=ClockReading.now()))
        own, self._own = self._own, None
        return tuple(
            entry
            for entry in left
            if (number := entry.question.address.interaction_id) not in own
            and not self._database.writes.is_storing(number)
        )

    async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
        """See `Accounts.charge`."""
        statements = partial(
            questions_table.add_charge, interaction_id=interaction_id, charge=charge, now=self._clock()
        )
        await self._database.write(Write(statements, charges=(charge,)))

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """See `Accounts.spent`."""
        stored = await self._database.read(lambda c: usage_table.spent(c, day, person_id, guild_id))
        return stored.with_sum(self._database.writes.kept_charges(day, person_id, guild_id))

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """See `Accounts.spending`."""
        return await self._database.read(lambda c: usage_table.spending(c, first_day, person_id, guild_id))

    async def channels(self) -> Mapping[int, ChannelSettings]:
        """See `GuildRepository.channels`."""
        return await self._database.read(channels_table.channels)

    async def set_channel(
        self, channel_id: int, guild_id: int | None, person_id: int, settings: ChannelSettings
    ) -> None:
        """See `GuildRepository.set_channel`."""

        statements = partial(
            channels_table.set_channel,
            channel_id=channel_id,
            guild_id=guild_id,
            person_id=person_id,
            settings=settings,
        )
        await self._database.write(Write(statements, deferrable=False))

    async def identifier_key(self) -> bytes:
        """See `Store.identifier_key`."""
        fresh = self._fresh_key
        try:
            kept = await self._database.read(bookkeeping_table.identifier_key)
            if kept is None:
                kept = await self._database.write(
                    Write(lambda c: bookkeeping_table.set_identifier_key(c, fresh))
                )
        except StoreError:
            return fresh  # `health` tells why; the backlog writes it later
        return kept

    async def changed_elsewhere(self) -> None:
        """See `GuildRepository.changed_elsewhere`."""
        await self._changes.receive()

    async def joined(self, guild_id: int) -> None:
        """See `GuildRepository.joined`."""
        await self._database.write(Write(lambda c: channels_table.joined(c, guild_id)))

    async def left(self, guild_id: int) -> None:
        """See `GuildRepository.left`."""
        now = self._clock()
        await self._database.write(Write(lambda c: channels_table.left(c, guild_id, now)))

    async def present(self) -> frozenset[int]:
        """See `GuildRepository.present`."""
        return await self._database.read(channels_table.present)

    async def left_before(self, at: float) -> tuple[int, ...]:
        """See `GuildRepository.left_before`."""
        return await self._database.read(lambda c: channels_table.left_before(c, at))


@asynccontextmanager
async def open_store(
    path: Path,
    options: ConversationOptions | None = None,
    *,
    pace: MaintenanceSchedule | None = None,
    clock: Callable[[], float] = time.time,
    ask_for_time: Callable[[], object] = lambda: None,
) -> AsyncIterator[SqliteStore]:
    """Lock and open the database, creating it if it is new, and close it at the end. Raises `StoreError`.

    `ask_for_time` is called every few seconds while an older file is migrated.
    Where the disk is full or read-only at the start, the store opens all the same: see `Health`.
    """
    database = await trio.to_thread.run_sync(lock_database, path, ask_for_time)
    store = SqliteStore(database, options or ConversationOptions(), pace or MaintenanceSchedule(), clock)
    async with running(database, store.maintenance.run):
        yield store
