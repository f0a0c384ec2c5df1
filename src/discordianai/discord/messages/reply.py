"""Shows an answer in Discord as it is written.

One task does all the writing: it edits the newest message at a limited rate, always with the newest text, and
opens a further message when one is full. The text of an earlier message never moves again. The buttons are
under the newest message.

An answer that an earlier process had begun is shown in the messages that it left. One that is too long for
messages comes as a file. If nothing more can be written there, because the interaction has expired, the rest
goes to the channel, and says for whom it is.

If Discord accepts no form of a message while the answer grows, no more is tried until its end. If it takes no
further message, the answer comes as a file, or ends in the newest one. If nothing can be shown, a sentence
says so.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.answering.reply import AnswerEnd, ReplyBroken, ReplyFailed
from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.messages import buttons
from discordianai.discord.messages.answer_messages import AnswerMessages, MessageLook
from discordianai.discord.messages.application_limits import ApplicationHeld
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.messages.port import (
    AnsweredElsewhere,
    File,
    MessageError,
    MessageGone,
    MessageRefused,
    Messages,
    MessagesBusy,
    MessagesClosed,
    MessagesExpired,
    NotPermitted,
    ThreadArchived,
)
from discordianai.discord.messages.posting import heading_for
from discordianai.discord.messages.reply_options import ACCESS_WAITS, OUTAGE_WAITS, TELL_WITHIN, ReplyOptions
from discordianai.discord.messages.reply_status import ReplyStatus
from discordianai.discord.rendering.characters import units
from discordianai.discord.rendering.masked_links import MaskedLinks
from discordianai.discord.rendering.source_list import References, sources
from discordianai.discord.rendering.splitting import MESSAGE_LIMIT, cut, full_message, paragraphs
from discordianai.guard import Guard
from discordianai.records import Citations, Question
from discordianai.text import GrowingText, well_formed

IN_THE_FILE = "The whole answer is in the file."
NO_FILE = "The rest doesn't fit here, and I can't send it as a file."
NOT_SHOWN = "I couldn't show you my answer. Please ask again."
REFUSED = "Discord didn't accept my answer. This server's rules or a missing permission may be the reason."
AFTER_STATUS = 0.3
"""Seconds after a status until the text may take its place."""


class DiscordReply:
    """The answer to one question; made by `open_reply`."""

    def __init__(self, messages: Messages, question: Question, options: ReplyOptions) -> None:
        self._question = question
        self._options = options
        self._place = self._messages_in(messages, earlier_ids=options.earlier_ids)
        self._elsewhere = options.elsewhere
        self._message_limit = options.message_limit
        self._references = References()
        self._links = MaskedLinks()
        self._citations: Citations = ()
        self._written = GrowingText()
        self._closing = AnswerEnd()
        self._small_print = ""
        self._below = ""  # the sources and the small print, once the answer is closed
        self._tail = GrowingText()  # what follows the messages that are full
        self._status = ReplyStatus(options.clock)
        self._shows_text = False
        self._too_long = False
        self._file_refused = not options.may_attach
        self._no_more_messages = False  # Discord takes no further message
        self._news = trio.Event()
        self._writing = trio.Lock()
        self._gone: MessagesClosed | None = None
        self._broken = False
        self._told = False
        self._finishing = False  # the last look is `finish`'s, however long Discord takes for it
        interaction_id = str(question.address.interaction_id)
        self._stop = Button(Action.STOP, question.person.id, interaction_id)

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        self._check()
        self._add(self._links.feed(self._references.feed(text)))

    @property
    def visible(self) -> bool:
        """Whether anything was shown yet."""
        return self._place.visible

    @property
    def shows_text(self) -> bool:
        """Whether the person sees a part of the answer already."""
        return self._shows_text

    @property
    def newest(self) -> int | None:
        """The message that continues; None for the original one."""
        return self._place.newest

    def _add(self, text: str) -> None:
        if text:
            self._written.append(text)
            self._tail.append(text)
            self._news.set()

    def cite(self, citations: Citations) -> None:
        """See `Reply.cite`."""
        self._citations = citations
        self._references.know(citations)

    def say(self, status: str) -> None:
        """See `Reply.say`."""
        self._check()
        self._status.say(status)
        self._news.set()

    def search(self, query: str) -> None:
        """See `Reply.search`."""
        self._check()
        self._status.search(query)
        self._news.set()

    def think(self) -> None:
        """See `Reply.think`."""
        self._check()
        self._status.think()
        self._news.set()  # `run` waits no longer than until it is due

    def close(self, closing: AnswerEnd) -> str:
        """See `Reply.close`."""
        self._add(self._links.feed(self._references.end()) + self._links.end())
        self._closing = closing
        self._small_print = "\n".join(f"-# {line}" for line in (closing.note, closing.footer) if line)
        listed = "" if self._finishing else sources(self._citations, self._references.used)
        self._below = "\n\n".join(filter(None, (listed, self._small_print)))
        return paragraphs(str(self._written), self._below)

    async def finish(self, turn: TurnId | None = None) -> None:
        """See `Reply.finish`. It is tried again until Discord takes a sentence about it, and once then."""
        self._check()
        access, outage = iter(ACCESS_WAITS), iter(OUTAGE_WAITS)
        last = buttons.below_answer(
            self._question.person.id, self._closing, turn, can_search=self._options.can_search
        )
        while (error := await self._try_to_end(last)) is not None:
            wait = next(access, None) if isinstance(error, NotPermitted) else None
            if wait is None:
                told = await self._tell_of(error)
                at_once = 0.0 if told and isinstance(error, MessagesBusy) else None  # the trouble is over
                wait = next(outage, None) if told is None else at_once
            if wait is None:
                raise ReplyFailed(str(error)) from error
            await trio.sleep(wait)

    async def _try_to_end(self, last: tuple[Button, ...]) -> MessageError | None:
        """Show what is left with its `last` buttons; what kept that from being shown."""
        try:
            async with self._writing:
                self._finishing = True
                # Not before: `_show_full_messages` counts on a tail that does nothing but grow.
                self._tail = GrowingText(paragraphs(str(self._tail), self._below))
                self._below = ""
                await self._end(last)
        except MessageError as error:
            if isinstance(error, NotPermitted):  # what was left out for it may be shown later
                self._no_more_messages = self._too_long = False
                self._file_refused, self._message_limit = (
                    not self._options.may_attach,
                    self._options.message_limit,
                )
            if isinstance(error, MessageRefused):  # its text may stay, but there is nothing to be stopped
                await self._place.take_buttons_away()
            return error
        return None

    async def _tell_of(self, error: MessageError) -> bool | None:
        """Say elsewhere, once, that the answer has no last words here; None where Discord takes nothing."""
        if self._told or isinstance(error, MessageGone | AnsweredElsewhere):  # nobody waits for them here
            return False
        told = await self._options.tell(REFUSED if isinstance(error, MessageRefused) else NOT_SHOWN)
        self._told = told is not None
        return told

    async def _end(self, last: tuple[Button, ...]) -> None:
        try:
            await self._show_full_messages(last)
            if self._too_long and not self._file_refused:
                try:
                    await self._end_with_a_file(last)
                except (MessageRefused, MessagesBusy) as error:
                    if isinstance(error, ApplicationHeld):  # messages would wait for as long again
                        raise
                    self._file_refused, self._too_long = True, False
                    self._message_limit = max(self._message_limit, self._options.most_without_file)
                    await self._end(last)  # in messages, up to their limit
                    return
            elif self._too_long:
                await self._end_incomplete(last)
            else:
                await self._place.show(MessageLook(cut(str(self._tail))[0], last), until_taken=True)
            self._shows_text = bool(str(self._written).strip())
            await self._place.remove_earlier()
        except MessagesExpired:
            self._go_elsewhere()
            await self._end(last)
        except (ThreadArchived, MessagesBusy) as error:  # a webhook's; the bot may be able to write there
            if self._elsewhere is None or isinstance(error, ApplicationHeld):
                raise
            before = self._place
            self._go_elsewhere()
            try:
                await self._end(last)
            finally:
                await before.take_buttons_away()

    async def run(self) -> None:
        """Show what is written, until cancelled. The next edit makes up for a failed one.

        After a bug nothing more is shown; whoever writes learns of it.
        """
        log = structlog.get_logger("discordianai.discord.messages.reply")
        guard = Guard(log, "bug while showing an answer", error=self._question.number)
        with guard:
            await self._show_what_comes(log)
        self._broken = guard.failed

    async def _show_what_comes(self, log: FilteringBoundLogger) -> None:
        while True:
            with trio.move_on_at(self._status.due_at):
                await self._news.wait()
            if trio.current_time() >= self._status.due_at:
                self._status.tell_thinking()
                self._news.set()
            await trio.sleep_until(self._place.free_at)
            self._news = trio.Event()
            try:
                async with self._writing:
                    if self._finishing:
                        return
                    await self._show_full_messages()
                    await self._show_newest()
            except MessagesExpired as error:
                if self._elsewhere is None:
                    await self._give_up(error)
                    return
                self._go_elsewhere()
            except MessagesClosed as error:
                await self._give_up(error)
                return
            except MessagesBusy as error:
                self._options.pace.hold(min(error.wait, 1.0))
                self._news.set()
            except MessageError as error:  # no later try would be another one; the end makes up for it
                log.debug("edit rejected", reason=str(error))
                return

    async def _give_up(self, error: MessagesClosed) -> None:
        """Tell the writer first, so that no more is requested."""
        self._gone = error
        with trio.move_on_after(TELL_WITHIN, shield=True):
            await self._tell_of(error)

    def _check(self) -> None:
        if self._broken:
            raise ReplyBroken("its task failed with a bug")
        if self._gone is not None:
            raise ReplyFailed(str(self._gone)) from self._gone

    def _go_elsewhere(self) -> None:
        """Write what is not yet shown whole where the rest goes. Raises `MessagesExpired` if there is no such
        place."""
        if self._elsewhere is None:
            raise MessagesExpired("there is no other place for it")
        heading, visible = heading_for(self._question.person.id), self.visible
        self._place = self._messages_in(self._elsewhere, heading=heading, visible=visible)
        self._elsewhere = None
        self._tail = GrowingText(heading + str(self._tail))
        if self._no_more_messages:
            self._no_more_messages = self._too_long = False
        self._news.set()

    async def _show_full_messages(self, last: tuple[Button, ...] | None = None) -> None:
        """Complete the newest message and open the next, while there is more than one holds. An answer that
        has ended has its `last` buttons."""
        ended, below = last is not None, (self._stop,) if last is None else last
        while not self._too_long and (full := full_message(tail := str(self._tail), ended=ended)):
            part, rest = full
            await self._place.show(MessageLook(part), until_taken=True)
            self._shows_text = True
            if self._no_more_messages or self._place.count >= self._message_limit:
                self._too_long = True
                return
            meanwhile = str(self._tail)
            tail, rest = meanwhile, rest + meanwhile[len(tail) :]
            following = full_message(rest, ended=ended)
            look = MessageLook(following[0]) if following else MessageLook(cut(rest)[0], below)
            try:
                await self._place.open_next(look, str(self._written))
            except MessageRefused:
                self._no_more_messages = self._too_long = True
                return
            # Without a checkpoint since the message was there: a cancel leaves both or none.
            self._tail = GrowingText(rest + str(self._tail)[len(tail) :])

    async def _show_newest(self) -> None:
        """Edit the newest message, if it may be edited now; else later, with what is the newest text then."""
        if not self._place.may_edit:  # it was opened a moment ago
            self._news.set()
            return
        if self._too_long:
            return
        heading, status = self._place.heading, self._status.text
        text = "" if str(self._tail) == heading else cut(str(self._tail))[0]
        if shown := text or (status and heading + status):
            await self._place.show(MessageLook(shown, (self._stop,)), until_taken=False)
            self._shows_text = self._shows_text or bool(text.strip())
        if not text:  # only a status: the first words need not wait as long as further ones
            self._place.edit_within(AFTER_STATUS)

    async def _end_with_a_file(self, last: tuple[Button, ...]) -> None:
        """The first message keeps the beginning, and gets everything as a file."""
        small = "\n".join((f"-# {IN_THE_FILE}", self._small_print)).strip()
        room = MESSAGE_LIMIT - units(small) - 2
        beginning = cut(self._place.heading + str(self._written).strip("\n"), room)[0]
        whole = paragraphs(str(self._written), sources(self._citations, self._references.used))
        file = File("answer.md", well_formed(whole).encode())
        await self._place.end_with_file(MessageLook(f"{beginning}\n\n{small}", last), file)

    async def _end_incomplete(self, last: tuple[Button, ...]) -> None:
        """The last message allowed says that there is more text."""
        small = "\n".join(filter(None, (f"-# {NO_FILE}", self._small_print)))
        part = cut(str(self._tail), MESSAGE_LIMIT - units(small) - 2)[0]
        await self._place.show(MessageLook(f"{part}\n\n{small}", last), until_taken=True)

    def _messages_in(
        self,
        messages: Messages,
        *,
        earlier_ids: tuple[int, ...] = (),
        heading: str = "",
        visible: bool = False,
    ) -> AnswerMessages:
        private = self._question.address.private
        return AnswerMessages(
            messages,
            self._options,
            private=private,
            earlier_ids=earlier_ids,
            heading=heading,
            visible=visible,
        )


@asynccontextmanager
async def open_reply(
    messages: Messages, question: Question, options: ReplyOptions
) -> AsyncIterator[DiscordReply]:
    """A reply whose text appears while the block runs."""
    reply = DiscordReply(messages, question, options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.run)
        with options.pace.streaming():
            yield reply
        nursery.cancel_scope.cancel()
