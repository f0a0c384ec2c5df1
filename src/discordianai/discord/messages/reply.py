"""Shows an answer in Discord as it is written.

One task does all the writing: it edits the newest message at a limited rate, always with the newest text, and
opens a further message when one is full. The text of an earlier message never moves again. The buttons are
under the newest message.

An answer that an earlier process had begun is shown in the messages that it left: they are edited in order,
and surplus ones are removed. An answer that is too long for messages comes as a file. If nothing more can be
written there, because the interaction has expired, the rest goes to the channel, and says for whom it is.

What Discord permanently refuses is shown in a simpler form (`fallbacks.py`): without its file, its links, its
buttons. If it accepts none while the answer grows, no more is tried until its end. If it takes no further
message, the answer comes as a file, or ends in the newest one. If nothing can be shown, a sentence says so.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.answering.reply import AnswerEnd, ReplyBroken, ReplyFailed, nobody_waits
from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.messages.application_limits import ApplicationHeld
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.messages.fallbacks import FallbackMessages
from discordianai.discord.messages.message_look import MessageLook, last_buttons, take_buttons_away
from discordianai.discord.messages.port import (
    File,
    MessageError,
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

NOTE_TIMEOUT = 2.0
"""Seconds to store the id of a further message; the store answers in milliseconds."""
IN_THE_FILE = "The whole answer is in the file."
NO_FILE = "The rest doesn't fit here, and I can't send it as a file."
NOT_SHOWN = "I couldn't show you my answer. Please ask again."
REFUSED = "Discord didn't accept my answer. This server's rules or a missing permission may be the reason."
AFTER_STATUS = 0.3
"""Seconds after a status until the text may take its place."""


class DiscordReply:
    """The answer to one question; made by `open_reply`."""

    def __init__(self, messages: Messages, question: Question, options: ReplyOptions) -> None:
        self._messages = FallbackMessages(messages)
        self._question = question
        self._options = options
        self._rest = FallbackMessages(options.rest) if options.rest else None
        self._most = options.most
        self._left = deque(options.left)  # further messages of a former process
        self._further: list[int] = []  # messages beside the original one
        self._references = References()
        self._links = MaskedLinks()
        self._citations: Citations = ()
        self._written = GrowingText()
        self._closing = AnswerEnd()
        self._small_print = ""
        self._below = ""  # the sources and the small print, once the answer is closed
        self._tail = GrowingText()  # what follows the messages that are full
        self._heading = ""  # for whom the answer is, where nothing else tells
        self._status = ReplyStatus(options.clock)
        self._shown = MessageLook()  # what the newest message shows
        self._next_edit = -math.inf  # of the newest message
        self._too_long = False
        self._file_refused = not options.may_attach
        self._no_further = False  # Discord takes no further message
        self._news = trio.Event()
        self._writing = trio.Lock()
        self._gone: MessagesClosed | None = None
        self._broken = False
        self._told = False
        self._private = question.address.private
        self._finishing = False  # the last look is `finish`'s, however long Discord takes for it
        interaction_id = str(question.address.interaction_id)
        self._stop = Button(Action.STOP, question.person.id, interaction_id)
        self.visible = False
        """Whether anything was shown yet."""

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        self._check()
        self._add(self._links.feed(self._references.feed(text)))

    @property
    def shows_text(self) -> bool:
        """Whether the person sees a part of the answer already."""
        return self.visible and bool(self._written)

    @property
    def newest(self) -> int | None:
        """The message that continues; None for the original one."""
        return self._further[-1] if self._further else None

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

    async def finish(self, turn: TurnId | None = None, delayed: Callable[[], None] = nobody_waits) -> None:
        """See `Reply.finish`. It is tried again until Discord takes a sentence about it, and once then."""
        self._check()
        person_id, access, outage = self._question.person.id, iter(ACCESS_WAITS), iter(OUTAGE_WAITS)
        last = last_buttons(person_id, self._closing, turn, can_search=self._options.can_search)
        while (error := await self._try_to_end(last)) is not None:
            wait = next(access, None) if isinstance(error, NotPermitted) else None
            if wait is None:
                told = await self._tell_of(error)
                at_once = 0.0 if told and isinstance(error, MessagesBusy) else None  # the trouble is over
                wait = next(outage, None) if told is None else at_once
            if wait is None:
                raise ReplyFailed(str(error)) from error
            delayed()
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
                self._no_further = self._too_long = False
                self._file_refused, self._most = not self._options.may_attach, self._options.most
            if isinstance(error, MessageRefused):  # its text may stay, but there is nothing to be stopped
                await take_buttons_away(self._messages, self.newest, self._shown)
            return error
        return None

    async def _tell_of(self, error: MessageError) -> bool | None:
        """Say elsewhere, once, that the answer has no last words here; None where Discord takes nothing."""
        if self._told or type(error) is MessagesClosed:  # somebody has removed its message
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
                    self._most = max(self._most, self._options.most_without_file)
                    await self._end(last)  # in messages, up to their limit
                    return
            elif self._too_long:
                await self._end_incomplete(last)
            else:
                await self._show(MessageLook(cut(str(self._tail))[0], last), until_taken=True)
            while self._left:
                await self._remove(self._left[0])
                self._left.popleft()
        except MessagesExpired:
            self._go_elsewhere()
            await self._end(last)
        except (ThreadArchived, MessagesBusy) as error:  # a webhook's; the bot may be able to write there
            if self._rest is None or isinstance(error, ApplicationHeld):
                raise
            before, newest, shown = self._messages, self.newest, self._shown
            self._go_elsewhere()
            try:
                await self._end(last)
            finally:
                await take_buttons_away(before, newest, shown)

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
        pace = self._options.pace
        while True:
            with trio.move_on_at(self._status.due_at):
                await self._news.wait()
            if trio.current_time() >= self._status.due_at:
                self._status.tell_thinking()
                self._news.set()
            await trio.sleep_until(max(self._next_edit, self._messages.free_at, pace.free_at))
            self._news = trio.Event()
            try:
                async with self._writing:
                    if self._finishing:
                        return
                    await self._show_full_messages()
                    await self._show_newest()
            except MessagesExpired as error:
                if self._rest is None:
                    await self._give_up(error)
                    return
                self._go_elsewhere()
            except MessagesClosed as error:
                await self._give_up(error)
                return
            except MessagesBusy as error:
                pace.hold(min(error.wait, 1.0))
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
        if self._rest is None:
            raise MessagesExpired("there is no other place for it")
        self._messages, self._rest = self._rest, None
        self._heading = heading_for(self._question.person.id)
        self._tail = GrowingText(self._heading + str(self._tail))
        self._further, self._shown, self._next_edit = [], MessageLook(), -math.inf
        self._left.clear()
        if self._no_further:
            self._no_further = self._too_long = False
        self._news.set()

    async def _show_full_messages(self, last: tuple[Button, ...] | None = None) -> None:
        """Complete the newest message and open the next, while there is more than one holds. An answer that
        has ended has its `last` buttons."""
        ended, buttons = last is not None, (self._stop,) if last is None else last
        while not self._too_long and (full := full_message(tail := str(self._tail), ended=ended)):
            part, rest = full
            await self._show(MessageLook(part), until_taken=True)
            if self._no_further or len(self._further) + 1 >= self._most:
                self._too_long = True
                return
            meanwhile = str(self._tail)
            tail, rest = meanwhile, rest + meanwhile[len(tail) :]
            following = full_message(rest, ended=ended)
            look = MessageLook(following[0]) if following else MessageLook(cut(rest)[0], buttons)
            try:
                message_id = await self._open_next(look)
            except MessageRefused:
                self._no_further = self._too_long = True
                return
            # These change together, after the awaits: a cancel leaves all of them or none.
            self._tail = GrowingText(rest + str(self._tail)[len(tail) :])
            self._further.append(message_id)
            self._shown = look
            self._next_edit = trio.current_time() + self._options.pace.interval

    async def _show_newest(self) -> None:
        """Edit the newest message, if it may be edited now; else later, with what is the newest text then."""
        if trio.current_time() < self._next_edit:  # it was opened a moment ago
            self._news.set()
            return
        if self._too_long:
            return
        text = "" if str(self._tail) == self._heading else cut(str(self._tail))[0]
        status = self._status.text
        if shown := text or (status and self._heading + status):
            await self._show(MessageLook(shown, (self._stop,)), until_taken=False)
        if not text:  # only a status: the first words need not wait as long as further ones
            self._next_edit = min(self._next_edit, trio.current_time() + AFTER_STATUS)

    async def _open_next(self, look: MessageLook) -> int:
        """The id of the message that continues; it is stored before anything else is sent."""
        while self._left:
            try:
                await self._messages.edit(self._left[0], look.body(private=self._private))
                return self._left.popleft()
            except MessagesExpired:
                raise
            except MessagesClosed:
                self._left.popleft()  # somebody has removed it
        message_id = await self._messages.create(look.body(private=self._private))
        # It is there, so that it has to be known, even if this answer is being cancelled.
        with trio.move_on_after(NOTE_TIMEOUT, shield=True):
            await self._options.note_further(message_id, str(self._written))
        return message_id

    async def _show(self, look: MessageLook, *, until_taken: bool) -> None:
        """Show this in the newest message, at the pace that people can read and Discord allows."""
        if look == self._shown:
            return
        await trio.sleep_until(self._next_edit)
        self._next_edit = trio.current_time() + self._options.pace.interval
        edit = self._messages.edit if until_taken else self._messages.try_edit
        await edit(self.newest, look.body(private=self._private))
        self._shown, self.visible = look, True

    async def _end_with_a_file(self, last: tuple[Button, ...]) -> None:
        """The first message keeps the beginning, and gets everything as a file; the others are removed."""
        small = "\n".join((f"-# {IN_THE_FILE}", self._small_print)).strip()
        room = MESSAGE_LIMIT - units(small) - 2
        beginning = cut(self._heading + str(self._written).strip("\n"), room)[0]
        whole = paragraphs(str(self._written), sources(self._citations, self._references.used))
        file = File("answer.md", well_formed(whole).encode())
        await self._messages.edit(
            None, MessageLook(f"{beginning}\n\n{small}", last).body(private=self._private), (file,)
        )
        self._shown = MessageLook()
        while self._further:
            await self._remove(self._further[-1])
            self._further.pop()

    async def _remove(self, message_id: int) -> None:
        """Where that fails, what was shown before stays: the answer is there all the same."""
        with suppress(MessageError):
            await self._messages.delete(message_id)

    async def _end_incomplete(self, last: tuple[Button, ...]) -> None:
        """The last message allowed says that there is more text."""
        small = "\n".join(filter(None, (f"-# {NO_FILE}", self._small_print)))
        part = cut(str(self._tail), MESSAGE_LIMIT - units(small) - 2)[0]
        await self._show(MessageLook(f"{part}\n\n{small}", last), until_taken=True)


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
