"""Shows an answer in Discord as it is written.

One task does all the writing: it edits the newest message at a bounded pace, always with the newest text, and
opens a further message when one is full. What an earlier message shows never moves again.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio

from discordianai.discord.messages import Body, MessageError, Messages
from discordianai.discord.sources import sources
from discordianai.discord.splitting import cut
from discordianai.model import Citation
from discordianai.reply import ReplyFailed

SUPPRESS_EMBEDS = 4
EPHEMERAL = 64

TEXT_OF_NOTHING = "…"
"""Discord refuses a message without a visible character."""


class DiscordReply:
    """The answer to one interaction; made by `open_reply`."""

    def __init__(self, messages: Messages, *, private: bool, interval: float) -> None:
        self._messages = messages
        self._flags = SUPPRESS_EMBEDS | (EPHEMERAL if private else 0)
        self._interval = interval
        self._tail = ""  # what follows the messages that are full
        self._message_id: int | None = None  # of the newest message; None is the original one
        self._shown = ""  # what the newest message shows
        self._next_edit = -math.inf
        self._news = trio.Event()
        self._writing = trio.Lock()

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        if text:
            self._tail += text
            self._news.set()

    async def finish(self, citations: tuple[Citation, ...] = (), note: str = "") -> None:
        """See `Reply.finish`."""
        paragraphs = (self._tail.strip("\n"), sources(citations), f"-# {note}" if note else "")
        self._tail = "\n\n".join(filter(str.strip, paragraphs)) or TEXT_OF_NOTHING
        try:
            async with self._writing:
                await self._show_full_messages()
                await self._show(self._tail, until_taken=True)
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
                    await self._show_full_messages()
                    if self._tail.strip():
                        await self._show(self._tail, until_taken=False)
            except MessageError as error:
                log.debug("an edit was not taken", reason=str(error))
                self._news.set()

    async def _show_full_messages(self) -> None:
        """Complete the newest message and open the next, while there is more than one holds."""
        while True:
            tail = self._tail
            part, rest = cut(tail)
            if not rest.strip():
                return
            await self._show(part, until_taken=True)
            first, _ = cut(rest)
            message_id = await self._messages.create(self._body(first))
            # These change together, after the awaits: a cancel leaves all of them or none. More may have been
            # written meanwhile.
            self._tail = rest + self._tail[len(tail) :]
            self._message_id, self._shown = message_id, first
            self._next_edit = trio.current_time() + self._interval

    async def _show(self, text: str, *, until_taken: bool) -> None:
        """Make the newest message say `text`, at the pace that people can read and Discord allows."""
        if text == self._shown:
            return
        await trio.sleep_until(self._next_edit)
        self._next_edit = trio.current_time() + self._interval
        edit = self._messages.edit if until_taken else self._messages.try_edit
        await edit(self._message_id, self._body(text))
        self._shown = text

    def _body(self, text: str) -> Body:
        """Nothing that a model writes may ping anybody."""
        return {"content": text, "allowed_mentions": {"parse": []}, "flags": self._flags}


@asynccontextmanager
async def open_reply(messages: Messages, *, private: bool, interval: float) -> AsyncIterator[DiscordReply]:
    """A reply whose text appears while the block runs; `interval` is the least seconds between two edits."""
    reply = DiscordReply(messages, private=private, interval=interval)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.run)
        yield reply
        nursery.cancel_scope.cancel()
