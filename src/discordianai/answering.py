"""Answers a question where it was asked: its files are read, its thread opened, its reply written."""

from dataclasses import replace
from functools import partial

import structlog
import trio

from discordianai.assistant import Assistant, Standing
from discordianai.conversations.store import Store, StoreError
from discordianai.discord import destination
from discordianai.discord.attachments import AttachmentReader, Unreadable
from discordianai.discord.channel import ChannelMessages
from discordianai.discord.destination import Destination
from discordianai.discord.messages import MessageError
from discordianai.discord.pace import Pace
from discordianai.discord.reply import DiscordReply, ReplyOptions, open_reply
from discordianai.discord.rest import DiscordApi
from discordianai.discord.webhook import InteractionWebhook
from discordianai.model import Question
from discordianai.reply import Closing, ReplyFailed
from discordianai.settings import Settings

TYPING_EVERY = 8.0
"""Seconds; what Discord shows lasts for ten."""

LONGEST_NAME = 80
"""Characters of a thread's name; Discord takes a hundred."""

MOST_AS_GUEST = 5
"""Messages where the bot is no member: Discord takes five follow-ups of an app of somebody's own."""

NO_THREAD = "I could not open a thread here, so I answer in the channel."
GUEST_NO_THREAD = "I am no member of this server and can open no thread here, so I answer in the channel."


class Answering:
    """Knows Discord and the assistant."""

    def __init__(
        self,
        settings: Settings,
        assistant: Assistant,
        store: Store,
        discord: DiscordApi,
        reader: AttachmentReader,
    ) -> None:
        self._settings = settings
        self._assistant = assistant
        self._store = store
        self._discord = discord
        self._reader = reader
        self._pace = Pace(settings.discord.edit_interval)
        self._log = structlog.get_logger("discordianai.answering")

    async def answer(
        self, question: Question, standing: Standing | None = None, ids: tuple[int, ...] = ()
    ) -> None:
        """Answer a question that has lined up, or will, once its thread is open; `ids` were stored of it."""
        note = ""
        if question.in_thread and not ids:
            question, ids, note = await self._open_thread(question)
        elif question.in_thread:
            question = destination.in_thread(question, ids[0])
        standing = standing or self._assistant.line_up(question)
        where = destination.of(self._discord, question, ids, partial(self._note_part, question, text=""))
        async with trio.open_nursery() as nursery:
            async with open_reply(where.messages, question, self._options(question, where)) as reply:
                if where.channel is not None:
                    nursery.start_soon(_show_typing, where.channel, reply)
                await self._read_and_answer(question, standing, reply, note)
            nursery.cancel_scope.cancel()

    def _options(self, question: Question, where: Destination) -> ReplyOptions:
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
        self, question: Question, standing: Standing, reply: DiscordReply, note: str
    ) -> None:
        try:
            if question.attachments:
                question = await self._reader.read(question)
        except Unreadable as error:
            standing.leave()
            await self._refuse(question, reply, str(error))
            return
        except BaseException:
            standing.leave()
            raise
        await self._assistant.answer(question, standing, reply, note)

    async def _refuse(self, question: Question, reply: DiscordReply, reason: str) -> None:
        reply.close(Closing(note=reason))
        try:
            await reply.finish()
            await self._store.finish(question.address.interaction_id)
        except (ReplyFailed, StoreError) as error:
            self._log.warning("a refusal could not be told", question=question.number, reason=str(error))

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
    while not reply.visible:
        await channel.show_typing()
        await trio.sleep(TYPING_EVERY)
