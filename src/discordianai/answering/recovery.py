"""Takes up the questions that a former process accepted and did not finish.

While an interaction is valid, its question is answered where it was asked. After that the answer, or a word
that there is none, goes to the channel; and where the bot cannot write there, or only the person was to see
it, that word comes with the person's next command.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog
import trio
from structlog.contextvars import bind_contextvars

from discordianai.answering.answer import numbered
from discordianai.answering.reply import Closing, ReplyFailed
from discordianai.conversations.pending_questions import PendingQuestion, PendingQuestions
from discordianai.conversations.store import StoreError
from discordianai.discord.interactions.interaction import EPHEMERAL
from discordianai.discord.messages import destination, failure_notice
from discordianai.discord.messages.channel import ChannelMessages
from discordianai.discord.messages.destination import Destination
from discordianai.discord.messages.port import MessageError, Messages
from discordianai.discord.messages.reply import ReplyOptions, open_reply
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.messages.webhook import InteractionWebhook
from discordianai.guard import Guard
from discordianai.records import Question

VALID_FOR = 15 * 60.0
"""Seconds that Discord honours an interaction's token."""

RESERVE = 60.0
"""Seconds that an answer should have left of it."""

AT_ONCE = 10
"""Questions of a former process that are worked on at a time, beside the new ones."""

MOST_STARTS = 2
"""Processes that may begin to answer a question: what ends two of them ends a third."""

LATEST = 7 * 86_400.0
"""Seconds after which nobody waits for an answer any more."""

MISSED = "I was restarted and did not get to your question. Please ask it again."
MISSED_EARLIER = "I was restarted {ago} ago and did not get to a question of yours. Please ask it again."
STOPPED_TWICE = (
    "Something stopped me twice while I answered this question, so I don't try it again."
    " Please ask it in other words."
)
LATE = "I was restarted while I answered you. Here is the answer:"

AnswerAgain = Callable[[Question, tuple[int, ...]], Awaitable[None]]
"""Answers a question; the ids are those of the messages that it has already."""


class Recovery:
    """Knows who is still owed a word."""

    def __init__(
        self,
        store: PendingQuestions,
        discord: DiscordApi,
        reply_options: Callable[[Question, Destination], ReplyOptions],
    ) -> None:
        self._store = store
        self._discord = discord
        self._reply_options = reply_options  # those of every other answer
        self._owed: dict[int, list[PendingQuestion]] = {}
        self._log = structlog.get_logger("discordianai.answering.recovery")

    async def left(self) -> tuple[PendingQuestion, ...]:
        """What a former process has left; to be called before this one takes questions."""
        try:
            return await self._store.unfinished()
        except StoreError as error:
            self._log.error("what was left unanswered cannot be read", reason=str(error))
            return ()

    async def take_up(
        self,
        left: Sequence[PendingQuestion],
        numbers: Iterator[int],
        answer: AnswerAgain,
        stopping: Callable[[], bool],
    ) -> None:
        """Deal with each, oldest first and few at a time, until the bot is `stopping`; all are done then.

        `answer` answers one that has to be asked again.
        """
        if left:
            self._log.info("taking up what was left", questions=len(left))
        at_once = trio.Semaphore(AT_ONCE)

        async def take(entry: PendingQuestion) -> None:
            try:
                with Guard(self._log, "a bug stopped what was left", error=entry.question.number):
                    await self._take(entry, answer)
            finally:
                at_once.release()

        async with trio.open_nursery() as nursery:
            for entry in left:
                await at_once.acquire()
                if stopping():
                    at_once.release()
                    return
                question = replace(entry.question, number=next(numbers), protected=True)
                nursery.start_soon(take, replace(entry, question=question))

    async def _take(self, entry: PendingQuestion, answer: AnswerAgain) -> None:
        bind_contextvars(question=entry.question.number)
        if entry.starts >= MOST_STARTS:
            await self._give_up(entry)
            return
        try:
            # Before anything else: whatever of this ends the process is not tried for ever.
            if not await self._store.count_start(entry.question.address.interaction_id):
                return
        except StoreError as error:
            self._log.warning("a question that was left waits for the next start", reason=str(error))
            return
        if await self._is_closed(entry):
            await self._settle_late(entry)
        elif entry.complete:
            await self._show(entry)
        else:
            await answer(entry.question, entry.message_ids)

    async def _give_up(self, entry: PendingQuestion) -> None:
        """It has ended two processes, or was there: say so, and do nothing else with it."""
        question = entry.question
        self._log.error("a question was left that the bot stopped at twice", error=question.number)
        if await self._is_closed(entry):
            await self._settle_late(replace(entry, text="", complete=False))
            return
        newest = entry.message_ids[-1] if entry.message_ids else None
        shown = question.in_thread or newest is not None
        words = numbered(STOPPED_TWICE, question)
        await failure_notice.say(self._discord, question.address, words, shown=shown, newest=newest)
        await self._finish(entry)

    async def _is_closed(self, entry: PendingQuestion) -> bool:
        """Whether its interaction takes nothing more: it is too old, or was never acknowledged."""
        address = entry.question.address
        if address.message_id is not None:  # a channel takes messages at any time
            return _age(entry) > LATEST
        if _age(entry) > VALID_FOR - RESERVE:
            return True
        try:
            return not await InteractionWebhook(self._discord, address).is_open()
        except MessageError:  # Discord is ill: it will be tried
            return False

    async def _show(self, entry: PendingQuestion) -> None:
        """The answer was whole and stored: show all of it, where it belongs."""
        question, ids = entry.question, entry.message_ids

        async def noted(message_id: int) -> None:
            await self._store.note_part(question.address.interaction_id, message_id, entry.text)

        await self._deliver(entry, destination.of(self._discord, question, ids, noted))
        await self._finish(entry)

    async def _deliver(self, entry: PendingQuestion, where: Destination) -> None:
        """Show a whole answer there, as a live one would have been: in messages, or as a file."""
        options = self._reply_options(entry.question, where)
        async with open_reply(where.messages, entry.question, options) as reply:
            reply.write(entry.text)
            reply.close(Closing())
            try:
                await reply.finish()
            except ReplyFailed as error:
                self._log.warning("an answer that was left could not be shown", reason=str(error))

    async def _settle_late(self, entry: PendingQuestion) -> None:
        """The interaction is over: say it in the channel, or owe it."""
        if _age(entry) > LATEST:
            await self._finish(entry)
        elif entry.question.address.private or not await self._say_in_channel(entry):
            self._owed.setdefault(entry.question.person.id, []).append(entry)

    async def _say_in_channel(self, entry: PendingQuestion) -> bool:
        person = entry.question.person.id
        first = LATE if entry.complete else MISSED
        them = {"parse": [], "users": [str(person)]}
        channel = ChannelMessages(self._discord, entry.question.place.channel_id)
        try:
            await channel.create({"content": f"<@{person}> {first}", "allowed_mentions": them})
        except MessageError as error:
            self._log.info("what is late cannot be said in its channel", reason=str(error))
            return False
        if entry.complete:
            await self._deliver(entry, Destination(channel))
        await self._finish(entry)
        return True

    async def tell_late(self, person_id: int, messages: Messages) -> None:
        """Say to a person who is here now what they are owed; `messages` are those of their interaction."""
        for entry in self._owed.pop(person_id, ()):
            text = MISSED_EARLIER.format(ago=_ago(_age(entry)))
            try:
                await messages.create({"content": text, "flags": EPHEMERAL})
            except MessageError as error:
                self._log.info("a word about a lost question was not taken", reason=str(error))
                self._owed.setdefault(person_id, []).append(entry)
                return
            await self._finish(entry)

    async def _finish(self, entry: PendingQuestion) -> None:
        with suppress(StoreError):  # it comes up again at the next start
            await self._store.finish(entry.question.address.interaction_id)


def _age(entry: PendingQuestion) -> float:
    """Seconds since it was asked."""
    return time.time() - entry.question.address.acknowledged_at


def _ago(seconds: float) -> str:
    """As one would say it: in whole minutes, hours or days."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count != 1)}"
    return "a moment"
