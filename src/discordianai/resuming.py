"""Takes up the questions that a former process accepted and did not finish.

While an interaction is valid, its question is answered where it was asked. After that the answer, or a word
that there is none, goes to the channel; and where the bot cannot write there, or only the person was to see
it, that word comes with the person's next command.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog
import trio

from discordianai.conversations.pending import PendingQuestions, Unfinished
from discordianai.conversations.store import StoreError
from discordianai.discord import destination
from discordianai.discord.channel import ChannelMessages
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import MessageError, Messages
from discordianai.discord.pace import Pace
from discordianai.discord.reply import SUPPRESS_EMBEDS, ReplyOptions, open_reply
from discordianai.discord.rest import DiscordApi
from discordianai.discord.splitting import split
from discordianai.discord.webhook import InteractionWebhook
from discordianai.model import Question
from discordianai.reply import Closing, ReplyFailed
from discordianai.surrogates import well_formed

VALID_FOR = 15 * 60.0
"""Seconds that Discord honours an interaction's token."""

RESERVE = 60.0
"""Seconds that an answer should have left of it."""

PROBES = 10
"""Interactions that are looked at at once."""

LATEST = 7 * 86_400.0
"""Seconds after which nobody waits for an answer any more."""

MISSED = "I was restarted and did not get to your question. Please ask it again."
MISSED_EARLIER = "I was restarted {ago} ago and did not get to a question of yours. Please ask it again."
LATE = "I was restarted while I answered you. Here is the answer:"


class Resuming:
    """Knows who is still owed a word."""

    def __init__(self, store: PendingQuestions, discord: DiscordApi) -> None:
        self._store = store
        self._discord = discord
        self._owed: dict[int, list[Unfinished]] = {}
        self._log = structlog.get_logger("discordianai.resuming")

    async def take_up(
        self, nursery: trio.Nursery, numbers: Iterator[int]
    ) -> list[tuple[Question, tuple[int, ...]]]:
        """The questions that are to be asked again, and the messages that each has already.

        Those that need no provider any more are dealt with in `nursery`.
        """
        try:
            unfinished = await self._store.unfinished()
        except StoreError as error:
            self._log.error("what was left unanswered cannot be read", reason=str(error))
            return []
        closed = await self._closed(unfinished)
        again = []
        for entry in unfinished:
            if entry.question.address.interaction_id in closed:
                nursery.start_soon(self._settle_late, entry)
            elif entry.complete:
                nursery.start_soon(self._show, entry)
            else:
                question = replace(entry.question, number=next(numbers), protected=True)
                again.append((question, entry.message_ids))
        if unfinished:
            self._log.info(
                "taking up what was left",
                questions=len(unfinished),
                asked_again=len(again),
                too_late=len(closed),
            )
        return again

    async def _closed(self, unfinished: Sequence[Unfinished]) -> set[int]:
        """The interactions that nothing can be written to any more: too old, or never acknowledged."""
        closed: set[int] = set()
        at_once = trio.CapacityLimiter(PROBES)

        async def probe(entry: Unfinished) -> None:
            address = entry.question.address
            if address.message_id is not None:
                return  # a channel takes messages at any time
            async with at_once:
                with suppress(MessageError):  # Discord is ill: it will be tried
                    if not await InteractionWebhook(self._discord, address).is_open():
                        closed.add(address.interaction_id)

        async with trio.open_nursery() as nursery:
            for entry in unfinished:
                if _age(entry) > (LATEST if entry.question.address.message_id else VALID_FOR - RESERVE):
                    closed.add(entry.question.address.interaction_id)
                else:
                    nursery.start_soon(probe, entry)
        return closed

    async def _show(self, entry: Unfinished) -> None:
        """The answer was whole and stored: show all of it, where it belongs."""
        question, ids = entry.question, entry.message_ids

        async def noted(message_id: int) -> None:
            await self._store.note_part(question.address.interaction_id, message_id, entry.text)

        where = destination.of(self._discord, question, ids, noted)
        options = ReplyOptions(Pace(interval=1.0), left=where.left, rest=where.rest)
        async with open_reply(where.messages, question, options) as reply:
            reply.write(entry.text)
            reply.close(Closing())
            try:
                await reply.finish()
            except ReplyFailed as error:
                self._log.warning("an answer that was left could not be shown", reason=str(error))
        await self._finish(entry)

    async def _settle_late(self, entry: Unfinished) -> None:
        """The interaction is over: say it in the channel, or owe it."""
        if _age(entry) > LATEST:
            await self._finish(entry)
        elif entry.question.address.private or not await self._say_in_channel(entry):
            self._owed.setdefault(entry.question.person.id, []).append(entry)

    async def _say_in_channel(self, entry: Unfinished) -> bool:
        person = entry.question.person.id
        first, parts = (LATE, split(entry.text)) if entry.complete else (MISSED, [])
        nobody: dict[str, list[str]] = {"parse": []}
        them = {"parse": [], "users": [str(person)]}
        channel = ChannelMessages(self._discord, entry.question.place.channel_id)
        try:
            await channel.create({"content": f"<@{person}> {first}", "allowed_mentions": them})
            for part in parts:
                body = {"content": well_formed(part), "allowed_mentions": nobody, "flags": SUPPRESS_EMBEDS}
                await channel.create(body)
        except MessageError as error:
            self._log.info("what is late cannot be said in its channel", reason=str(error))
            return False
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

    async def _finish(self, entry: Unfinished) -> None:
        with suppress(StoreError):  # it comes up again at the next start
            await self._store.finish(entry.question.address.interaction_id)


def _age(entry: Unfinished) -> float:
    """Seconds since it was asked."""
    return time.time() - entry.question.address.acknowledged_at


def _ago(seconds: float) -> str:
    """As one would say it: in whole minutes, hours or days."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count != 1)}"
    return "a moment"
