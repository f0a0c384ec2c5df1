"""The conversation store of the running bot on PostgreSQL: no cache, and several processes may share it."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import structlog
import trio

from discordianai.conversations import packing, window
from discordianai.conversations.accounting import Charge, Spent, SpentOn, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.engine.json_lines import newest_lines
from discordianai.conversations.engine.lifetime import running
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import (
    FinishedAnswer,
    PendingQuestion,
    Posted,
    QuestionAndAnswer,
    StoredQuestion,
    TurnId,
)
from discordianai.conversations.postgres import (
    bookkeeping_table,
    channels_table,
    export,
    questions_table,
    removal,
    turns_table,
    usage_table,
)
from discordianai.conversations.postgres.batches import Batch
from discordianai.conversations.postgres.connections import PostgresServer
from discordianai.conversations.postgres.database import PostgresClient
from discordianai.conversations.postgres.maintenance import (
    PostgresMaintenance,
    PostgresMaintenanceSchedule,
)
from discordianai.conversations.postgres.questions_table import FIRST_CLAIM, Claim
from discordianai.conversations.store import (
    IDENTIFIER_KEY_BYTES,
    ChannelSettings,
    Health,
    Removal,
    StoreError,
    StoreStatistics,
)
from discordianai.records import Question, Turn
from discordianai.repeated_warning import RepeatedWarning
from discordianai.system_clock import ClockReading

EXPORT_WITHIN = 20.0
"""Seconds for each read of an export."""

SUMS_WITHIN = 5.0
"""Seconds to add up what was spent."""


class PostgresStore:
    """See `Store`; made by `open_store`."""

    def __init__(
        self,
        database: PostgresClient,
        options: ConversationOptions,
        pace: PostgresMaintenanceSchedule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._options = options
        self._clock = clock
        self._claims: dict[int, int] = {}
        """By interaction, of the questions that were taken over; the others have `FIRST_CLAIM`."""
        self._taken: list[tuple[int, PendingQuestion]] = []
        log = structlog.get_logger("discordianai.conversations.postgres.store")
        self._unread = RepeatedWarning(log, "question answered without its history")
        self._fresh_key = secrets.token_bytes(IDENTIFIER_KEY_BYTES)
        self._note_change, self._changes = trio.open_memory_channel[None](1)
        self.maintenance = PostgresMaintenance(database, options.ttl, self._changed, pace, clock)

    def _changed(self) -> None:
        with suppress(trio.WouldBlock):  # a former change has not been seen yet
            self._note_change.send_nowait(None)

    @property
    def health(self) -> Health:
        """See `Store.health`."""
        return self._database.writes.health

    @property
    def figures(self) -> StoreStatistics:
        """See `Store.figures`."""
        writes = self._database.writes
        return StoreStatistics(
            engine="PostgreSQL",
            unencrypted=self._database.unencrypted,
            reads=self._database.reads,
            writes=writes.waits,
            writes_waiting=writes.waiting,
            commits=writes.commits,
            committing=self._database.committing,
        )

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """See `ConversationStore.recent`."""
        most = min(limit, self._options.max_turns)
        try:
            turns: list[Turn] = await self._database.read(turns_table.read(key, most))
        except StoreError as error:
            self._unread.note(str(error), reason=str(error))  # one of a few sentences of our own
            turns = []
        for packed in self._database.writes.kept_turns(key):
            kept = packing.unpack(packed, self._options.max_turns)
            if turns[-len(kept) :] != kept:  # a late write may have been committed and not yet settled
                turns += kept
        not_before = self._clock() - self._options.ttl
        return window.newest(turns, limit, not_before)

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
        await self._database.write(_adding(exchange, turns_table.append(exchange, self._options.max_turns)))

    async def said(self, turn: TurnId) -> StoredQuestion | None:
        """See `ConversationStore.said`."""
        said: StoredQuestion | None = await self._database.read(turns_table.said(turn))
        return said

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """See `ConversationStore.export`."""
        lines: list[str] = []
        for query in export.of_person(person_id, most_bytes):
            lines += await self._database.read(query, EXPORT_WITHIN)
        return newest_lines(lines, most_bytes)

    async def reset(self, key: ConversationKey) -> Removal:
        """See `ConversationStore.reset`."""
        turns: int = await self._database.write(Write(turns_table.remove(key), deferrable=False))
        return self._removal(turns)

    async def forget(self, person_id: int) -> Removal:
        """See `ConversationStore.forget`."""
        await self._database.write(Write(removal.rest_of_person(person_id, self._clock()), deferrable=False))
        return await self._remove_turns(turns_table.remove_of_person(person_id))

    async def drop_guild(self, guild_id: int) -> Removal:
        """See `ConversationStore.drop_guild`."""
        await self._database.write(Write(removal.rest_of_guild(guild_id, self._clock()), deferrable=False))
        return await self._remove_turns(turns_table.remove_of_guild(guild_id))

    async def _remove_turns(self, step: Batch) -> Removal:
        turns, removed = 0, turns_table.STEP
        while removed == turns_table.STEP:
            removed = await self._database.write(Write(step, deferrable=False))
            turns += removed
        return self._removal(turns)

    def _removal(self, turns: int) -> Removal:
        """PostgreSQL gives the space of removed rows to others, and overwrites it only then."""
        self.maintenance.note_removal()
        return Removal(turns, erased=None)

    async def accept(self, question: Question) -> bool:
        """See `PendingQuestions.accept`."""
        interaction_id = question.address.interaction_id
        if self._database.writes.is_storing(interaction_id):
            return False
        write = Write(
            questions_table.insert(question, self._database.process, ClockReading.now()),
            question=interaction_id,
            size=4 * (len(question.text) + len(question.quotation.text if question.quotation else "")),
        )
        accepted: bool = await self._database.write(write)
        return accepted

    def _claim(self, interaction_id: int) -> Claim:
        number = self._claims.get(interaction_id, FIRST_CLAIM)
        return Claim(interaction_id, self._database.process, number)

    async def note_posted(self, interaction_id: int, posted: Posted, text: str) -> None:
        """See `PendingQuestions.note_posted`."""
        batch = questions_table.note_posted(self._claim(interaction_id), posted, text)
        await self._database.write(Write(batch, size=4 * len(text)))

    async def answered(self, interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        """See `PendingQuestions.answered`."""
        batch = questions_table.store_answer(
            self._claim(interaction_id), answer, self._options.max_turns, self._clock()
        )
        size = 4 * len(answer.text)
        exchange = answer.exchange
        write = Write(batch, size=size) if exchange is None else _adding(exchange, batch, size)
        write = replace(write, charges=answer.charges)
        turn: TurnId | None = await self._database.write(write)
        return turn

    async def finish(self, interaction_id: int) -> None:
        """See `PendingQuestions.finish`."""
        batch = questions_table.erase(self._claim(interaction_id), self._clock())
        self._claims.pop(interaction_id, None)
        await self._database.write(Write(batch))

    async def count_start(self, interaction_id: int) -> bool:
        """See `PendingQuestions.count_start`."""
        batch = questions_table.add_starts(self._claim(interaction_id), 1)
        still_open: bool = await self._database.write(Write(batch, deferrable=False))
        return still_open

    async def take_back_start(self, interaction_id: int) -> None:
        """See `PendingQuestions.take_back_start`."""
        await self._database.write(Write(questions_table.add_starts(self._claim(interaction_id), -1)))

    async def take_over(self) -> tuple[PendingQuestion, ...]:
        """See `PendingQuestions.take_over`. What is taken is given, whoever asked for it has gone or not."""

        def on_commit(taken: list[tuple[int, PendingQuestion]]) -> None:
            for number, entry in taken:
                self._claims[entry.question.address.interaction_id] = number
            self._taken += taken

        trusted_until = self._database.steady_time.trusted_until
        batch = questions_table.take_over(self._database.process, ClockReading.now(), trusted_until)
        await self._database.write(Write(batch, on_commit, deferrable=False))
        taken, self._taken = self._taken, []
        return tuple(entry for _, entry in taken)

    async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
        """See `Accounts.charge`."""
        today = day_of(self._clock())
        batch = usage_table.add(charge, interaction_id, today)
        await self._database.write(Write(batch, charges=(charge,)))

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """See `Accounts.spent`."""
        spent: Spent = await self._database.read(usage_table.spent(day, person_id, guild_id), SUMS_WITHIN)
        return spent.with_sum(self._database.writes.kept_charges(day, person_id, guild_id))

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """See `Accounts.spending`."""
        query = usage_table.spending(first_day, person_id, guild_id)
        lines: tuple[SpentOn, ...] = await self._database.read(query, SUMS_WITHIN)
        return lines

    async def channels(self) -> Mapping[int, ChannelSettings]:
        """See `GuildRepository.channels`."""
        channels: Mapping[int, ChannelSettings] = await self._database.read(
            channels_table.channels(), SUMS_WITHIN
        )
        return channels

    async def set_channel(
        self, channel_id: int, guild_id: int | None, person_id: int, settings: ChannelSettings
    ) -> None:
        """See `GuildRepository.set_channel`."""
        batch = channels_table.set_channel(channel_id, guild_id, person_id, settings)
        await self._database.write(Write(batch, deferrable=False))

    async def identifier_key(self) -> bytes:
        """See `Store.identifier_key`."""
        fresh = self._fresh_key
        try:
            kept: bytes | None = await self._database.read(bookkeeping_table.identifier_key())
            if kept is None:
                kept = await self._database.write(Write(bookkeeping_table.set_identifier_key(fresh)))
        except StoreError:
            return fresh  # `health` tells why; the backlog writes it later
        return kept or fresh

    async def changed_elsewhere(self) -> None:
        """See `GuildRepository.changed_elsewhere`."""
        await self._changes.receive()

    async def joined(self, guild_id: int) -> None:
        """See `GuildRepository.joined`."""
        await self._database.write(Write(channels_table.joined(guild_id)))

    async def left(self, guild_id: int) -> None:
        """See `GuildRepository.left`."""
        await self._database.write(Write(channels_table.left(guild_id, self._clock())))

    async def present(self) -> frozenset[int]:
        """See `GuildRepository.present`."""
        present: frozenset[int] = await self._database.read(channels_table.present(), SUMS_WITHIN)
        return present

    async def left_before(self, at: float) -> tuple[int, ...]:
        """See `GuildRepository.left_before`."""
        left: tuple[int, ...] = await self._database.read(channels_table.left_before(at), SUMS_WITHIN)
        return left


def _adding(exchange: QuestionAndAnswer, batch: Batch, size: int = 0) -> Write[Batch]:
    """A write that adds an exchange, which `recent` gives from memory until it is done."""
    return Write(batch, key=exchange.key, packed=packing.pack(exchange.turns), size=size)


@asynccontextmanager
async def open_store(
    server: PostgresServer,
    options: ConversationOptions | None = None,
    *,
    pace: PostgresMaintenanceSchedule | None = None,
    clock: Callable[[], float] = time.time,
    ask_for_time: Callable[[], object] = lambda: None,
) -> AsyncIterator[PostgresStore]:
    """Connect to the server, creating the tables if they are not there; leave it at the end.

    Raises `StoreError` where trying again is pointless, such as for a newer schema. Where the server is away,
    or does not let the bot in, the store opens all the same: see `Health`. `ask_for_time` is called when an
    older schema is migrated.
    """
    log = structlog.get_logger("discordianai.conversations.postgres.store")
    token = trio.lowlevel.current_trio_token()

    def report(schema: int) -> None:
        log.info("migrating the database to a newer schema", schema=schema)
        token.run_sync_soon(ask_for_time)

    database = PostgresClient(server, report)
    store = PostgresStore(
        database, options or ConversationOptions(), pace or PostgresMaintenanceSchedule(), clock
    )
    async with running(database, store.maintenance.run):
        yield store
