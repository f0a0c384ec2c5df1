"""Answers a question where it was asked: its files are read, its thread opened, its reply written."""

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog
import trio

from discordianai.answering.answer import INTERNAL_ERROR, numbered
from discordianai.answering.reply import Closing, ReplyFailed
from discordianai.answering.service import AnswerService, QuestionTicket
from discordianai.conversations.store import Store, StoreError
from discordianai.discord.messages import destination, failure_notice
from discordianai.discord.messages.attachments import AttachmentReader, Unreadable
from discordianai.discord.messages.channel import ChannelMessages
from discordianai.discord.messages.destination import Destination
from discordianai.discord.messages.pace import EditPace
from discordianai.discord.messages.port import MessageError
from discordianai.discord.messages.reply import DiscordReply, ReplyOptions, open_reply
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.messages.webhook import InteractionWebhook
from discordianai.guard import Guard
from discordianai.records import Question
from discordianai.settings import Settings

TYPING_EVERY = 8.0
"""Seconds; what Discord shows lasts for ten."""

LONGEST_NAME = 80
"""Characters of a thread's name; Discord takes a hundred."""

TAKE_BACK_WITHIN = 2.0
"""Seconds to store that a question was left for the next process; the store answers in milliseconds."""

MOST_AS_GUEST = 5
"""Messages where the bot is no member: Discord takes five follow-ups of an app of somebody's own."""

NO_THREAD = "I could not open a thread here, so I answer in the channel."
GUEST_NO_THREAD = (
    "I am not a member of this server and cannot open a thread here, so I answer in the channel."
)


@dataclass(slots=True)
class Progress:
    """How far an answer has come, for whoever has to tell of its end. `ended`: the person knows of it."""

    reply: DiscordReply | None = None
    ended: bool = False


class Delivery:
    """Knows Discord and the assistant."""

    def __init__(
        self,
        settings: Settings,
        answer_service: AnswerService,
        store: Store,
        discord: DiscordApi,
        reader: AttachmentReader,
    ) -> None:
        self._settings = settings
        self._answer_service = answer_service
        self._store = store
        self._discord = discord
        self._reader = reader
        self._pace = EditPace(settings.discord.edit_interval)
        self._log = structlog.get_logger("discordianai.answering.delivery")

    async def answer(
        self, question: Question, ticket: QuestionTicket | None, ids: tuple[int, ...], progress: Progress
    ) -> None:
        """Answer a question that has lined up, or will, once its thread is open; `ids` were stored of it.

        A bug leaves as it came, and the caller has to tell of it; of all else the person has been told.
        """
        note = ""
        if question.in_thread and not ids:
            question, ids, note = await self._open_thread(question)
        elif question.in_thread:
            question = destination.in_thread(question, ids[0])
        ticket = ticket or self._answer_service.enqueue(question)
        with closing(ticket):
            where = destination.of(self._discord, question, ids, partial(self._note_part, question, text=""))
            async with trio.open_nursery() as nursery:
                async with open_reply(where.messages, question, self.reply_options(question, where)) as reply:
                    progress.reply = reply
                    if where.channel is not None:
                        nursery.start_soon(_show_typing, where.channel, reply)
                    await self._read_and_answer(question, ticket, reply, note)
                    progress.ended = True
                nursery.cancel_scope.cancel()

    def reply_options(self, question: Question, where: Destination) -> ReplyOptions:
        """How any answer to that question is shown there, this one's or one that a former process left."""
        most = self._settings.discord.max_messages
        return ReplyOptions(
            pace=self._pace,
            max_messages=most if question.address.as_member else min(most, MOST_AS_GUEST),
            note_part=partial(self._note_part, question),
            left=where.left,
            rest=where.rest,
            can_search=any(provider.searches for provider in self._settings.configured),
        )

    async def _read_and_answer(
        self, question: Question, ticket: QuestionTicket, reply: DiscordReply, note: str
    ) -> None:
        try:
            if question.attachments:
                question = await self._reader.read(question, ticket.deadline)
        except Unreadable as error:
            ticket.close()
            await self._refuse(question, reply, str(error))
            return
        await self._answer_service.answer(question, ticket, reply, note)

    async def _refuse(self, question: Question, reply: DiscordReply, reason: str) -> None:
        reply.close(Closing(note=reason))
        try:
            await reply.finish()
            await self._store.finish(question.address.interaction_id)
        except (ReplyFailed, StoreError) as error:
            self._log.warning("a refusal could not be told", question=question.number, reason=str(error))

    async def tell_of_bug(self, question: Question, progress: Progress) -> None:
        """A bug has stopped this one; where the answer had ended, the person has all that there is."""
        if not progress.ended:
            reply = progress.reply
            shown, newest = (reply.shows_text, reply.newest) if reply else (False, None)
            words = numbered(INTERNAL_ERROR, question)
            with Guard(self._log, "a bug kept a person from being told", error=question.number):
                shown = shown or question.in_thread
                await failure_notice.say(self._discord, question.address, words, shown=shown, newest=newest)
        with Guard(self._log, "a bug kept a question open", error=question.number), suppress(StoreError):
            await self._store.finish(question.address.interaction_id)

    async def take_back_start(self, question: Question) -> None:
        """The bot is stopping, which is no crash that this question has to answer for."""
        with (
            trio.move_on_after(TAKE_BACK_WITHIN, shield=True),
            Guard(self._log, "a bug kept a start from being taken back", question=question.number),
            suppress(StoreError),
        ):
            if question.protected:
                await self._store.take_back_start(question.address.interaction_id)

    async def _open_thread(self, question: Question) -> tuple[Question, tuple[int, ...], str]:
        """The question as one of its thread, what is stored of that, and a note where there is no thread."""
        here = replace(question, in_thread=False)
        if not question.address.as_member:
            return here, (), GUEST_NO_THREAD
        name = " ".join(question.text.split())[:LONGEST_NAME] or "A question"
        try:
            thread_id = await ChannelMessages(self._discord, question.place.channel_id).open_thread(name)
            await self._note_part(question, thread_id, "")
            body = {"content": f"I answer in <#{thread_id}>.", "allowed_mentions": {"parse": []}}
            await InteractionWebhook(self._discord, question.address).edit(None, body)
        except MessageError as error:
            self._log.info("no thread was opened", question=question.number, reason=str(error))
            return here, (), NO_THREAD
        return destination.in_thread(question, thread_id), (thread_id,), ""

    async def _note_part(self, question: Question, message_id: int, text: str) -> None:
        try:
            await self._store.note_part(question.address.interaction_id, message_id, text)
        except StoreError as error:
            self._log.debug("a part is not stored", question=question.number, reason=str(error))


async def _show_typing(channel: ChannelMessages, reply: DiscordReply) -> None:
    """Until there is something to be seen."""
    log = structlog.get_logger("discordianai.answering.delivery")
    with Guard(log, "a bug stopped the typing from being shown"):
        while not reply.visible:
            await channel.show_typing()
            await trio.sleep(TYPING_EVERY)
