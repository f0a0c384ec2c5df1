"""Shows an answer in Discord as it is written.

One task does all the writing: it edits the newest message at a bounded pace, always with the newest text, and
opens a further message when one is full. What an earlier message shows never moves again. The buttons stand
under the newest message.

An answer that a former process had begun is shown in the messages that it left: they are edited in order, and
those that are too many are removed.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
import trio

from discordianai.discord import buttons
from discordianai.discord.buttons import Action, Button
from discordianai.discord.characters import well_formed
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import Body, MessageError, Messages, MessagesClosed
from discordianai.discord.sources import sources
from discordianai.discord.splitting import closed, cut, settled
from discordianai.model import Question
from discordianai.reply import Closing, ReplyFailed

SUPPRESS_EMBEDS = 4

TEXT_OF_NOTHING = "…"
"""Discord refuses a message without a visible character."""


NOTE_TIMEOUT = 2.0
"""Seconds to store the id of a further message; the store answers in milliseconds."""


async def _nowhere(message_id: int, text: str) -> None:
    """For replies that nobody takes up."""


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """`interval` is the least seconds between two edits of a message.

    `note_part` is told the id of each further message, and all that was written so far. `left` are the ids of
    those that a former process has written, in order.
    """

    interval: float
    note_part: Callable[[int, str], Awaitable[None]] = _nowhere
    left: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """All that a message shows."""

    text: str = ""
    actions: tuple[Action, ...] = ()


class DiscordReply:
    """The answer to one interaction; made by `open_reply`."""

    def __init__(self, messages: Messages, question: Question, options: ReplyOptions) -> None:
        self._messages = messages
        self._question = question
        self._interval = options.interval
        self._note_part = options.note_part
        self._left = deque(options.left)  # further messages of a former process
        self._written = ""
        self._tail = ""  # what follows the messages that are full
        self._status = ""  # what is shown while there is no text
        self._message_id: int | None = None  # of the newest message; None is the original one
        self._shown = _Look()  # what the newest message shows
        self._next_edit = -math.inf
        self._news = trio.Event()
        self._writing = trio.Lock()
        self._gone: MessagesClosed | None = None
        self._actions: tuple[Action, ...] = ()

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        self._check()
        if text:
            self._written += text
            self._tail += text
            self._news.set()

    def say(self, status: str) -> None:
        """See `Reply.say`."""
        self._check()
        self._status = f"-# {status}"
        self._news.set()

    def close(self, closing: Closing) -> str:
        """See `Reply.close`."""
        small = "\n".join(f"-# {line}" for line in (closing.note, closing.footer) if line)
        below = "\n\n".join(filter(None, (sources(closing.citations), small)))
        self._tail = _paragraphs(self._tail, below)
        self._actions = (Action.GO_ON,) if closing.unfinished else ()
        return _paragraphs(self._written, below)

    async def finish(self) -> None:
        """See `Reply.finish`."""
        self._check()
        try:
            async with self._writing:
                await self._show_full_messages(ended=True)
                await self._show(_Look(cut(self._tail)[0], self._actions), until_taken=True)
                while self._left:
                    await self._messages.delete(self._left[0])
                    self._left.popleft()
        except MessageError as error:
            raise ReplyFailed(str(error)) from error

    async def run(self) -> None:
        """Show what is written, until cancelled. A failed edit is made good by the next one."""
        log = structlog.get_logger("discordianai.discord.reply")
        while True:
            await self._news.wait()
            await trio.sleep_until(max(self._next_edit, self._messages.free_at))
            self._news = trio.Event()
            try:
                async with self._writing:
                    await self._show_full_messages(ended=False)
                    text = cut(self._tail)[0] or self._status
                    if text:
                        await self._show(_Look(text, (Action.STOP,)), until_taken=False)
            except MessagesClosed as error:
                self._gone = error
                return
            except MessageError as error:
                log.debug("an edit was not taken", reason=str(error))
                self._news.set()

    def _check(self) -> None:
        if self._gone is not None:
            raise ReplyFailed(str(self._gone)) from self._gone

    async def _show_full_messages(self, *, ended: bool) -> None:
        """Complete the newest message and open the next, while there is more than one holds."""
        while True:
            tail = self._tail
            if not (ended or settled(tail)):
                return
            part, rest = cut(tail)
            if not rest.strip():
                return
            await self._show(_Look(part), until_taken=True)
            next_look = _Look(cut(rest)[0], (Action.STOP,))
            message_id = await self._open_next(next_look)
            # These change together, after the awaits: a cancel leaves all of them or none. More may have been
            # written meanwhile.
            self._tail = rest + self._tail[len(tail) :]
            self._message_id, self._shown = message_id, next_look
            self._next_edit = trio.current_time() + self._interval

    async def _open_next(self, look: _Look) -> int:
        """The id of the message that goes on; it is stored before anything else is sent."""
        while self._left:
            try:
                await self._messages.edit(self._left[0], self._body(look))
                return self._left.popleft()
            except MessagesClosed:
                self._left.popleft()  # somebody has removed it
        message_id = await self._messages.create(self._body(look))
        # It is there, so that it has to be known, even if this answer is being cancelled.
        with trio.move_on_after(NOTE_TIMEOUT, shield=True):
            await self._note_part(message_id, self._written)
        return message_id

    async def _show(self, look: _Look, *, until_taken: bool) -> None:
        """Make the newest message look so, at the pace that people can read and Discord allows."""
        if look == self._shown:
            return
        await trio.sleep_until(self._next_edit)
        self._next_edit = trio.current_time() + self._interval
        edit = self._messages.edit if until_taken else self._messages.try_edit
        await edit(self._message_id, self._body(look))
        self._shown = look

    def _body(self, look: _Look) -> Body:
        """Nothing that a model writes may ping anybody."""
        address = self._question.address
        row = [Button(action, self._question.person.id, address.interaction_id) for action in look.actions]
        return {
            "content": well_formed(look.text),
            "components": buttons.row(row),
            "allowed_mentions": {"parse": []},
            "flags": SUPPRESS_EMBEDS | (EPHEMERAL if address.private else 0),
        }


def _paragraphs(text: str, below: str) -> str:
    return "\n\n".join(filter(str.strip, (closed(text.strip("\n")), below))) or TEXT_OF_NOTHING


@asynccontextmanager
async def open_reply(
    messages: Messages, question: Question, options: ReplyOptions
) -> AsyncIterator[DiscordReply]:
    """A reply whose text appears while the block runs."""
    reply = DiscordReply(messages, question, options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.run)
        yield reply
        nursery.cancel_scope.cancel()
