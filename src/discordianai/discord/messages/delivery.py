"""Brings an answer to where it was asked: reads the question's files, opens its thread, writes the messages.

That is the question's interaction, its channel, or a thread of its own. What has been posted there is in the
journal, so that a later process can continue it. A live answer, one that is asked for again and one that was
stored all take the same way, within the same limits.
"""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace

import structlog
import trio

from discordianai.answering.answer import STOPPED
from discordianai.answering.journal import Journal
from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.answering.service import AnswerService, QuestionTicket
from discordianai.conversations.pending_questions import Posted
from discordianai.conversations.store import ClaimLost
from discordianai.discord.messages import failure_notice
from discordianai.discord.messages.attachments import AttachmentReader, Unreadable
from discordianai.discord.messages.direct_messages import DirectMessages
from discordianai.discord.messages.failure_notice import for_one_person, given_back
from discordianai.discord.messages.port import AnsweredElsewhere, MessageError, MessageRefused, Messages
from discordianai.discord.messages.posting import ChannelMessages, InteractionWebhook
from discordianai.discord.messages.reply import (
    DiscordReply,
    open_reply,
)
from discordianai.discord.messages.reply_options import MOST_WITHOUT_FILE, EditPace, ReplyOptions
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.discord.rendering.characters import VISIBLE, fitting, last_boundary
from discordianai.guard import Guard
from discordianai.option import Live
from discordianai.records import Question

TYPING_EVERY = 8.0
"""Seconds; what Discord shows lasts for ten."""

LONGEST_NAME = 80
"""UTF-16 units of a thread's name; Discord takes a hundred."""

ANY_NAME = "A question"
"""Of a thread, where a question gives it none, or one that Discord refuses."""

MOST_AS_GUEST = 5
"""Messages of an own app where the bot is not a member: Discord accepts five follow-ups."""

VALID_FOR = 15 * 60.0
"""Seconds that Discord honours an interaction's token."""

RESERVE = 60.0
"""Seconds that an answer should have left of it."""

NO_THREAD = "I couldn't open a thread here, so I'm answering in the channel."
GUEST_NO_THREAD = (
    "I'm not a member of this server and can't open a thread here, so I'm answering in the channel."
)


@dataclass(frozen=True, slots=True)
class _Destination:
    """Where an answer is written. `earlier_ids` are the further messages that are there already.

    `channel` shows that the bot is writing; `elsewhere` takes over when `messages` accepts no more.
    """

    messages: Messages
    earlier_ids: tuple[int, ...] = ()
    channel: ChannelMessages | None = None
    elsewhere: Messages | None = None


class Deliveries:
    """Makes the delivery of each question. With `can_search`, the web is offered below an answer.

    `clock` tells the time of day.
    """

    def __init__(
        self,
        options: Live[BotOptions],
        can_search: bool,
        answer_service: AnswerService,
        journal: Journal,
        api: DiscordApi,
        direct_messages: DirectMessages,
        reader: AttachmentReader,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.options = options
        self.can_search = can_search
        self.answer_service = answer_service
        self.journal = journal
        self.api = api
        self.direct_messages = direct_messages
        self.reader = reader
        self.clock = clock
        self.pace = EditPace(options.now.edit_interval)

    def __call__(self, question: Question, posted: Posted) -> "DiscordDelivery":
        """See `answering.delivery.Deliver`."""
        return DiscordDelivery(self, question, posted)


class DiscordDelivery:
    """See `answering.delivery.Delivery`; made by `Deliveries`."""

    def __init__(self, shared: Deliveries, question: Question, posted: Posted) -> None:
        self._shared = shared
        self._api = shared.api
        self._question = question
        self._posted = posted
        self._reply: DiscordReply | None = None
        self._ended = False
        self._taken_over = False  # by another process
        self._unled_to: int | None = None  # the thread to which nothing leads in the channel
        self._log = structlog.get_logger("discordianai.discord.messages.delivery").bind(
            question=question.number
        )

    async def answer(self, ticket: QuestionTicket | None) -> None:
        """See `Delivery.answer`."""
        note = await self._open_thread() if self._question.in_thread else self._question.note
        ticket = ticket or self._shared.answer_service.enqueue(self._question)
        with closing(ticket):
            where = self._destination()
            async with trio.open_nursery() as nursery:
                async with open_reply(where.messages, self._question, self._reply_options(where)) as reply:
                    self._reply = reply
                    if where.channel is not None:
                        nursery.start_soon(_show_typing, where.channel, reply)
                    ours = await self._read_and_answer(ticket, reply, note)
                    self._ended = True
                nursery.cancel_scope.cancel()
        if self._unled_to is not None:
            await self._lead_to(self._unled_to)
        if ours and not self._taken_over and not reply.shows_text:
            await failure_notice.give_form_back(self._api, self._question)

    async def is_open(self) -> bool:
        """See `Delivery.is_open`."""
        address = self._question.address
        if address.message_id is not None:  # a channel takes messages at any time
            return True
        # The time of an acknowledgement is by the system clock, as it stands now.
        if time.time() - address.acknowledged_at > VALID_FOR - RESERVE:
            return False
        try:
            return await InteractionWebhook(self._api, address).is_open()
        except MessageError:  # Discord is having trouble: it will be retried
            return True

    async def show(self, text: str) -> None:
        """See `Delivery.show`."""
        await self._show_whole(text, self._destination())

    async def say_late(self, words: str, text: str = "") -> bool:
        """See `Delivery.say_late`."""
        question = self._question
        if question.address.private or not question.address.as_member:  # a guest's bot cannot write there
            return False
        person = question.person.id
        channel = ChannelMessages(self._api, question.place.channel_id, person_id=person)
        them = {"parse": [], "users": [str(person)]}
        try:
            await channel.create({"content": f"<@{person}> {words}", "allowed_mentions": them})
        except MessageError as error:
            self._log.info("late message could not be posted", reason=str(error))
            return False
        if text:
            await self._show_whole(text, _Destination(channel))
        return True

    async def follow_up(self, words: str, form_text: str = "") -> bool:
        """See `Delivery.follow_up`."""
        address = self._question.address
        if address.message_id is not None:  # everybody reads what comes in a channel
            return False
        try:
            body = for_one_person(content=words, **given_back(form_text))
            await InteractionWebhook(self._api, address).create(body)
        except MessageError as error:
            self._log.info("follow-up rejected", reason=str(error))
            return False
        return True

    async def apologise(self, words: str) -> None:
        """See `Delivery.apologise`."""
        if self._ended:
            return
        reply, further_ids = self._reply, self._posted.further_ids
        if reply is not None:
            shown, newest = reply.shows_text, reply.newest
        else:
            shown, newest = bool(further_ids), further_ids[-1] if further_ids else None
        await self._tell_somewhere(words, shown=shown or self._posted.thread_id is not None, newest=newest)
        if not shown:
            await failure_notice.give_form_back(self._api, self._question)

    async def _read_and_answer(self, ticket: QuestionTicket, reply: DiscordReply, note: str) -> bool:
        """See `AnswerService.answer`."""
        question, service = self._question, self._shared.answer_service
        try:
            if question.attachments:
                with service.cancellable(question) as stopped:  # an earlier process may have left the button
                    question = await self._shared.reader.read(question, ticket.deadline)
                if stopped.cancelled_caught:
                    raise Unreadable(STOPPED)
        except Unreadable as error:
            ticket.close()
            await self._refuse(reply, str(error))
            return True
        return await service.answer(question, ticket, reply, note)

    async def _refuse(self, reply: DiscordReply, reason: str) -> None:
        reply.close(AnswerEnd(note=reason))
        try:
            await reply.finish()
        except ReplyFailed as error:
            self._log.warning("refusal could not be sent", reason=str(error))
        await self._shared.journal.finish(self._question)

    async def _show_whole(self, text: str, where: _Destination) -> None:
        async with open_reply(where.messages, self._question, self._reply_options(where)) as reply:
            self._reply = reply
            reply.write(text)
            reply.close(AnswerEnd())
            try:
                await reply.finish()
            except ReplyFailed as error:
                self._log.warning("stored answer could not be shown", reason=str(error))

    def _reply_options(self, where: _Destination) -> ReplyOptions:
        as_member, most = self._question.address.as_member, self._shared.options.now.max_messages
        return ReplyOptions(
            pace=self._shared.pace,
            max_messages=most if as_member else min(most, MOST_AS_GUEST),
            most_without_file=MOST_WITHOUT_FILE if as_member else MOST_AS_GUEST,
            tell=self._tell_elsewhere,
            note_further=self._note_further,
            earlier_ids=where.earlier_ids,
            elsewhere=where.elsewhere,
            can_search=self._shared.can_search,
            may_attach=self._question.may_attach,
            clock=self._shared.clock,
        )

    async def _tell_elsewhere(self, words: str) -> bool | None:
        """For when the answer's own place accepts nothing: plain requests, the parent channel, a direct
        message. None where Discord can take nothing at the moment.
        """
        shown = self._reply is not None and self._reply.shows_text
        newest = self._reply.newest if self._reply else None
        return await self._tell_somewhere(words, shown=shown, newest=newest)

    async def _tell_somewhere(self, words: str, *, shown: bool, newest: int | None) -> bool | None:
        address, person_id = self._question.address, self._question.person.id
        told = await failure_notice.say(
            self._api, address, words, person_id=person_id, shown=shown, newest=self._path_of(newest)
        )
        if told or (not address.private and await self._tell_above(words)):
            return True
        about = f"About your question in <#{self._question.place.channel_id}>: {words}"
        # Where Discord can take nothing at the moment, the answer itself is tried again.
        if await self._shared.direct_messages.say(person_id, about, may_wait=told is False):
            return True
        self._log.warning("person could not be notified")
        return told

    def _path_of(self, message_id: int | None) -> str:
        """Where a message of the answer is; empty for an original one that does not exist yet."""
        address, posted = self._question.address, self._posted
        if posted.thread_id is None and address.message_id is None:
            webhook = f"/webhooks/{address.application_id}/{address.token}"
            return f"{webhook}/messages/{message_id or '@original'}"
        known = message_id or posted.original_id
        channel_id = posted.thread_id or address.channel_id
        return f"/channels/{channel_id}/messages/{known}" if known else ""

    async def _tell_above(self, words: str) -> bool:
        parent_id, person_id = self._question.place.parent_id, self._question.person.id
        if parent_id is None or not self._question.address.as_member:
            return False
        them = {"parse": [], "users": [str(person_id)]}
        try:
            channel = ChannelMessages(self._api, parent_id, person_id=person_id)
            await channel.create({"content": f"<@{person_id}> {words}", "allowed_mentions": them})
        except MessageError as error:
            self._log.info("thread's parent channel refuses messages", reason=str(error))
            return False
        return True

    def _destination(self) -> _Destination:
        address, posted, person_id = self._question.address, self._posted, self._question.person.id
        if posted.thread_id is not None or address.message_id is not None:
            channel = ChannelMessages(
                self._api,
                posted.thread_id or address.channel_id,
                person_id=person_id,
                reply_to=None if posted.thread_id is not None else address.message_id,
                original=posted.original_id,
                noted=self._note_original,
            )
            return _Destination(channel, posted.further_ids, channel)
        # In the channel everybody reads it, and a guest cannot write there.
        elsewhere = None
        if address.as_member and not address.private:
            elsewhere = ChannelMessages(self._api, address.channel_id, person_id=person_id)
        return _Destination(InteractionWebhook(self._api, address), posted.further_ids, elsewhere=elsewhere)

    async def _open_thread(self) -> str:
        """Answer in the question's own thread from now on; return a note for the person if there is none."""
        question, thread_id = self._question, self._posted.thread_id
        if thread_id is None:
            self._question = replace(question, in_thread=False)
            if not question.address.as_member:
                return GUEST_NO_THREAD
            try:
                thread_id = await self._new_thread(_thread_name(question.text))
            except MessageError as error:
                self._log.info("thread not opened", reason=str(error))
                return NO_THREAD
            with suppress(AnsweredElsewhere):  # the answer's end notices it again
                await self._note(Posted(thread_id))
            await self._lead_to(thread_id)
        self._question = _in_thread(question, thread_id)
        return ""

    async def _new_thread(self, name: str) -> int:
        """Its id; AutoMod looks at names, too. Raises `MessageError`."""
        channel = ChannelMessages(self._api, self._question.place.channel_id)
        try:
            return await channel.open_thread(name)
        except MessageRefused:
            if name == ANY_NAME:
                raise
            return await channel.open_thread(ANY_NAME)

    async def _lead_to(self, thread_id: int) -> None:
        body = {"content": f"I'm answering in <#{thread_id}>.", "allowed_mentions": {"parse": []}}
        messages, self._unled_to = InteractionWebhook(self._api, self._question.address), None
        try:
            await messages.edit(None, body)
        except MessageRefused as error:  # people find it in the channel
            self._log.info("thread link rejected", reason=str(error))
            with suppress(MessageError):
                await messages.delete(None)
        except MessageError as error:  # another try follows the answer
            self._log.info("thread link not sent", reason=str(error))
            self._unled_to = thread_id

    async def _note_original(self, message_id: int) -> None:
        await self._note(replace(self._posted, original_id=message_id))

    async def _note_further(self, message_id: int, text: str) -> None:
        await self._note(replace(self._posted, further_ids=(*self._posted.further_ids, message_id)), text)

    async def _note(self, posted: Posted, text: str = "") -> None:
        self._posted = posted
        try:
            await self._shared.journal.note_posted(self._question, posted, text)
        except ClaimLost as error:
            self._taken_over = True
            raise AnsweredElsewhere(str(error)) from None


def _thread_name(text: str) -> str:
    """The beginning of a question, on one line; no character is torn."""
    words = " ".join(text.split())
    name = words[: last_boundary(words, fitting(words, LONGEST_NAME))]
    return name if VISIBLE.search(name) else ANY_NAME


def _in_thread(question: Question, thread_id: int) -> Question:
    """The question as one that was asked in that thread."""
    place = replace(question.place, channel_id=thread_id, parent_id=question.place.channel_id)
    return replace(question, place=place)


async def _show_typing(channel: ChannelMessages, reply: DiscordReply) -> None:
    """Show the typing indicator until there is something to see."""
    log = structlog.get_logger("discordianai.discord.messages.delivery")
    with Guard(log, "bug in the typing indicator"):
        while not reply.visible:
            await channel.show_typing()
            await trio.sleep(TYPING_EVERY)
