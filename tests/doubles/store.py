"""A store that forgets at the end of the process, with the same promises."""

import json
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import trio

from discordianai.conversations import window
from discordianai.conversations.accounting import Charge, Spent, SpentOn, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.json_lines import newest_lines
from discordianai.conversations.engine.question_rows import REPLAYS_END
from discordianai.conversations.engine.turn_ids import parts, turn_id
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.pending_questions import (
    FinishedAnswer,
    PendingQuestion,
    Posted,
    QuestionAndAnswer,
    StoredQuestion,
    TurnId,
)
from discordianai.conversations.store import ChannelSettings, Health, Removal, StoreError, StoreStatistics
from discordianai.records import Question, Role, Turn

DAY = 86_400.0


class MemoryStore:
    """See `Store`. Every call raises `failure` if the test set one."""

    def __init__(
        self, options: ConversationOptions | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._options = options or ConversationOptions()
        self._clock = clock
        self._exchanges: dict[ConversationKey, list[tuple[QuestionAndAnswer, Turn]]] = defaultdict(list)
        self._named: list[tuple[QuestionAndAnswer, Turn]] = []
        self._open: dict[int, PendingQuestion] = {}
        self._own: set[int] = set()
        self._done: dict[int, float] = {}  # nothing but the id is left, and when that was
        self._forgotten: set[int] = set()
        self._charges: list[Charge] = []
        self._spenders: dict[int, str] = {}  # who is forgotten, and on which day, whose sum is still needed
        self._channels: dict[int, tuple[int | None, int, ChannelSettings]] = {}
        self._guilds: dict[int, float | None] = {}  # when it was left, if it was
        self._identifier_key = secrets.token_bytes(32)
        self.health = Health()
        self.figures = StoreStatistics()
        self.failure: StoreError | None = None

    async def _enter(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        now = self._clock()
        oldest = now - self._options.ttl_days * DAY
        self._remove(lambda _, turn: turn.at < oldest)
        self._done = {number: at for number, at in self._done.items() if at >= now - REPLAYS_END}
        self._forgotten &= self._done.keys()
        for person_id, day in list(self._spenders.items()):
            if day < day_of(now):
                self._anonymise(person_id)
                del self._spenders[person_id]

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """See `ConversationStore.recent`."""
        await trio.lowlevel.checkpoint()
        turns = [turn for _, turn in self._exchanges.get(key, ())]
        return window.newest(turns, limit, self._clock() - self._options.ttl_days * DAY)

    async def append(
        self,
        key: ConversationKey,
        turns: Sequence[Turn],
        *,
        person_id: int | None = None,
        guild_id: int | None = None,
    ) -> None:
        """See `ConversationStore.append`."""
        await self._enter()
        self._append(
            QuestionAndAnswer(key, tuple(turns), key.person_id if person_id is None else person_id, guild_id)
        )

    def _append(self, exchange: QuestionAndAnswer) -> TurnId | None:
        turns = self._exchanges[exchange.key]
        added = [(exchange, turn) for turn in exchange.turns]
        turns.extend(added)
        del turns[: max(len(turns) - self._options.max_turns, 0)]
        if not turns:
            return None
        self._named.append(added[max(len(added) - len(turns), 0)])
        return turn_id(len(self._named), self._named[-1][1].at)

    async def said(self, turn: TurnId) -> StoredQuestion | None:
        """See `ConversationStore.said`."""
        await self._enter()
        number, second = parts(turn) or (0, 0)
        if not 0 < number <= len(self._named):
            return None
        exchange, said = self._named[number - 1]
        there = any(entry[1] is said for entry in self._exchanges.get(exchange.key, ()))
        if not there or said.role is not Role.USER or int(said.at) != second:
            return None
        whose = exchange.person_id, exchange.guild_id, exchange.key
        return StoredQuestion(said.text, *whose, said.attachments)

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """See `ConversationStore.export`."""
        await self._enter()
        lines = [
            json.dumps({"role": turn.role.value, "text": turn.text})
            for turns in self._exchanges.values()
            for exchange, turn in turns
            if exchange.person_id == person_id
        ]
        return newest_lines(lines, most_bytes)

    async def reset(self, key: ConversationKey) -> Removal:
        """See `ConversationStore.reset`."""
        await self._enter()
        return Removal(len(self._exchanges.pop(key, ())))

    async def forget(self, person_id: int) -> Removal:
        """See `ConversationStore.forget`."""
        await self._enter()
        today = day_of(self._clock())
        answering = any(entry.question.person.id == person_id for entry in self._open.values())
        if answering or (await self.spent(today, person_id=person_id)).answers:
            self._spenders[person_id] = today
        self._forget_questions(lambda question: question.person.id == person_id)
        whose = (None, person_id)
        self._channels = {key: entry for key, entry in self._channels.items() if entry[:2] != whose}
        self._anonymise(person_id)
        return Removal(self._remove(lambda exchange, _: exchange.person_id == person_id))

    def _anonymise(self, person_id: int) -> None:
        """Today's sum is still needed for the daily limit."""
        today = day_of(self._clock())
        self._charges = [
            replace(charge, person_id=0) if charge.person_id == person_id and charge.day < today else charge
            for charge in self._charges
        ]

    async def drop_guild(self, guild_id: int) -> Removal:
        """See `ConversationStore.drop_guild`."""
        await self._enter()
        self._forget_questions(lambda question: question.place.guild_id == guild_id)
        self._channels = {key: entry for key, entry in self._channels.items() if entry[0] != guild_id}
        if self._guilds.get(guild_id) is not None:
            del self._guilds[guild_id]
        return Removal(self._remove(lambda exchange, _: exchange.guild_id == guild_id))

    def _forget_questions(self, whose: Callable[[Question], bool]) -> None:
        for interaction_id, entry in list(self._open.items()):
            if whose(entry.question):
                self._finish(interaction_id)
                self._forgotten.add(interaction_id)

    def _finish(self, interaction_id: int) -> None:
        self._open.pop(interaction_id, None)
        self._done.setdefault(interaction_id, self._clock())

    def _remove(self, which: Callable[[QuestionAndAnswer, Turn], bool]) -> int:
        before = sum(map(len, self._exchanges.values()))
        for key, turns in list(self._exchanges.items()):
            self._exchanges[key] = [(exchange, turn) for exchange, turn in turns if not which(exchange, turn)]
        return before - sum(map(len, self._exchanges.values()))

    async def accept(self, question: Question) -> bool:
        """See `PendingQuestions.accept`."""
        await self._enter()
        interaction_id = question.address.interaction_id
        if interaction_id in self._open or interaction_id in self._done:
            return False
        self._open[interaction_id] = PendingQuestion(replace(question, number=0))
        self._own.add(interaction_id)
        return True

    async def note_posted(self, interaction_id: int, posted: Posted, text: str) -> None:
        """See `PendingQuestions.note_posted`."""
        await self._enter()
        entry = self._open.get(interaction_id)
        if entry is not None and not entry.complete:
            self._open[interaction_id] = replace(entry, posted=posted, text=text)

    async def answered(self, interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        """See `PendingQuestions.answered`."""
        await self._enter()
        entry = self._open.get(interaction_id)
        if entry is not None and not entry.complete:
            self._open[interaction_id] = replace(entry, text=answer.text, complete=True)
        elif entry is None and interaction_id not in self._done:
            self._finish(interaction_id)
        elif interaction_id not in self._forgotten:
            return None
        self._charges.extend(self._payable(charge, interaction_id) for charge in answer.charges)
        if answer.exchange is None or interaction_id in self._forgotten:
            return None
        return self._append(answer.exchange)

    async def finish(self, interaction_id: int) -> None:
        """See `PendingQuestions.finish`."""
        await self._enter()
        if interaction_id in self._open:
            self._finish(interaction_id)

    async def count_start(self, interaction_id: int) -> bool:
        """See `PendingQuestions.count_start`."""
        await self._enter()
        return self._add_starts(interaction_id, 1)

    async def take_back_start(self, interaction_id: int) -> None:
        """See `PendingQuestions.take_back_start`."""
        await self._enter()
        self._add_starts(interaction_id, -1)

    def _add_starts(self, interaction_id: int, count: int) -> bool:
        entry = self._open.get(interaction_id)
        if entry is not None:
            self._open[interaction_id] = replace(entry, starts=entry.starts + count)
        return entry is not None

    def restart(self) -> None:
        """As if another process used it from now on."""
        self._own.clear()

    async def take_over(self) -> tuple[PendingQuestion, ...]:
        """See `PendingQuestions.take_over`."""
        left = [e for e in await self.unfinished() if e.question.address.interaction_id not in self._own]
        self._own.update(entry.question.address.interaction_id for entry in left)
        return tuple(left)

    async def unfinished(self) -> tuple[PendingQuestion, ...]:
        """All open questions, oldest first, whoever answers them."""
        await self._enter()
        return tuple(
            sorted(
                self._open.values(),
                key=lambda e: (e.question.address.acknowledged_at, e.question.address.interaction_id),
            )
        )

    async def charge(self, charge: Charge, interaction_id: int | None = None) -> None:
        """See `Accounts.charge`."""
        await self._enter()
        self._charges.append(self._payable(charge, interaction_id))

    def _payable(self, charge: Charge, interaction_id: int | None) -> Charge:
        """Whose it is: of nobody where the question is forgotten, except on the day of that."""
        if interaction_id is None or interaction_id not in self._forgotten:
            return charge
        same_day = charge.day == day_of(self._done[interaction_id]) == day_of(self._clock())
        return charge if same_day else replace(charge, person_id=0)

    async def spent(self, day: str, *, person_id: int | None = None, guild_id: int | None = None) -> Spent:
        """See `Accounts.spent`."""
        await self._enter()
        return _sum([charge for charge in self._of(person_id, guild_id) if charge.day == day])

    async def spending(
        self, first_day: str, *, person_id: int | None = None, guild_id: int | None = None
    ) -> tuple[SpentOn, ...]:
        """See `Accounts.spending`."""
        await self._enter()
        lines: defaultdict[tuple[str, str, str], list[Charge]] = defaultdict(list)
        for charge in self._of(person_id, guild_id):
            if charge.day >= first_day:
                lines[charge.day, charge.provider, charge.model].append(charge)
        return tuple(SpentOn(*line, _sum(charges)) for line, charges in sorted(lines.items()))

    async def channels(self) -> Mapping[int, ChannelSettings]:
        """See `GuildRepository.channels`."""
        await self._enter()
        return {channel_id: settings for channel_id, (*_, settings) in self._channels.items()}

    async def set_channel(
        self, channel_id: int, guild_id: int | None, person_id: int, settings: ChannelSettings
    ) -> None:
        """See `GuildRepository.set_channel`."""
        await self._enter()
        self._channels[channel_id] = (guild_id, person_id, settings)
        if not settings:
            del self._channels[channel_id]

    async def identifier_key(self) -> bytes:
        """See `Store.identifier_key`."""
        await trio.lowlevel.checkpoint()
        return self._identifier_key

    async def changed_elsewhere(self) -> None:
        """See `GuildRepository.changed_elsewhere`: nobody else can."""
        await trio.sleep_forever()

    async def joined(self, guild_id: int) -> None:
        """See `GuildRepository.joined`."""
        await self._enter()
        self._guilds[guild_id] = None

    async def left(self, guild_id: int) -> None:
        """See `GuildRepository.left`."""
        await self._enter()
        if self._guilds.get(guild_id) is None:
            self._guilds[guild_id] = self._clock()

    async def present(self) -> frozenset[int]:
        """See `GuildRepository.present`."""
        await self._enter()
        return frozenset(guild_id for guild_id, left_at in self._guilds.items() if left_at is None)

    async def left_before(self, at: float) -> tuple[int, ...]:
        """See `GuildRepository.left_before`."""
        await self._enter()
        left = self._guilds.items()
        return tuple(sorted(guild_id for guild_id, left_at in left if left_at is not None and left_at < at))

    def _of(self, person_id: int | None, guild_id: int | None) -> list[Charge]:
        return [
            charge
            for charge in self._charges
            if person_id in {None, charge.person_id} and guild_id in {None, charge.guild_id}
        ]


def _sum(charges: Sequence[Charge]) -> Spent:
    return Spent(
        answers=len(charges),
        input_tokens=sum(charge.usage.input_tokens for charge in charges),
        output_tokens=sum(charge.usage.output_tokens for charge in charges),
        cost=sum(charge.cost or 0 for charge in charges),
        unpriced=sum(charge.cost is None for charge in charges),
        cached_tokens=sum(charge.usage.cached_tokens for charge in charges),
        searches=sum(charge.usage.searches for charge in charges),
    )
