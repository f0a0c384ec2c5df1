"""The messages of one answer in one place: the newest one is edited, and when it is full, another follows.

Further messages that an earlier process left are edited in order before any is written. What Discord
permanently refuses is shown in a simpler form (`fallbacks.py`).
"""

import math
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import trio

from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.messages import buttons
from discordianai.discord.messages.buttons import Button
from discordianai.discord.messages.fallbacks import FallbackMessages
from discordianai.discord.messages.port import (
    Body,
    File,
    MessageError,
    MessageGone,
    Messages,
)
from discordianai.discord.messages.reply_options import ReplyOptions
from discordianai.text import well_formed

SUPPRESS_EMBEDS = 4

NOTE_TIMEOUT = 2.0
"""Seconds to store the id of a further message; the store answers in milliseconds."""

BUTTONS_TIMEOUT = 20.0
"""Seconds to take the buttons away from a message."""


@dataclass(frozen=True, slots=True)
class MessageLook:
    """All that a message shows."""

    text: str = ""
    buttons: tuple[Button, ...] = ()

    def body(self, *, private: bool) -> Body:
        """As Discord takes it. No text of a model may ping anybody."""
        return {
            "content": well_formed(self.text),
            "components": buttons.row(self.buttons),
            "allowed_mentions": {"parse": []},
            "flags": SUPPRESS_EMBEDS | (EPHEMERAL if private else 0),
        }


class AnswerMessages:
    """One call at a time; the caller keeps it so. `heading` says for whom the answer is, where nothing else
    tells.
    """

    def __init__(
        self,
        messages: Messages,
        options: ReplyOptions,
        *,
        private: bool,
        earlier_ids: tuple[int, ...] = (),
        heading: str = "",
        visible: bool = False,
    ) -> None:
        self._messages = FallbackMessages(messages)
        self._options = options
        self._private = private
        self._earlier_ids = deque(earlier_ids)  # further messages of an earlier process
        self._further: list[int] = []  # messages beside the original one
        self._shown = MessageLook()  # what the newest message shows
        self._next_edit = -math.inf  # of the newest message
        self.heading = heading
        self.visible = visible
        """Whether anything was shown yet, here or where the answer began."""

    @property
    def newest(self) -> int | None:
        """The message that continues; None for the original one."""
        return self._further[-1] if self._further else None

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self._further) + 1

    @property
    def free_at(self) -> float:
        """When, on trio's clock, an edit that may be left out should come at the earliest."""
        return max(self._next_edit, self._messages.free_at, self._options.pace.free_at)

    @property
    def may_edit(self) -> bool:
        """Whether the newest message has been shown as it is for as long as people need to read."""
        return trio.current_time() >= self._next_edit

    def edit_within(self, seconds: float) -> None:
        """What follows needs to wait no longer than so many seconds."""
        self._next_edit = min(self._next_edit, trio.current_time() + seconds)

    async def show(self, look: MessageLook, *, until_taken: bool) -> None:
        """Show this in the newest message, at the pace that people can read and Discord allows.

        Raises `MessageError`; `MessagesBusy` at once, unless it is tried `until_taken`.
        """
        if look == self._shown:
            return
        await trio.sleep_until(self._next_edit)
        self._next_edit = self._in_an_interval()
        edit = self._messages.edit if until_taken else self._messages.try_edit
        await edit(self.newest, look.body(private=self._private))
        self._shown, self.visible = look, True

    async def open_next(self, look: MessageLook, written: str) -> None:
        """Show this in a message that continues; its id is stored, with all that was `written` so far, before
        anything else is sent. Raises `MessageError`, and then nothing has changed.
        """
        message_id = await self._edit_earlier(look)
        if message_id is None:
            message_id = await self._messages.create(look.body(private=self._private))
            # It is there, so that it has to be known, even if this answer is being cancelled.
            with trio.move_on_after(NOTE_TIMEOUT, shield=True):
                await self._options.note_further(message_id, written)
        # These change together, after the awaits: a cancel leaves all of them or none.
        self._further.append(message_id)
        self._shown, self._next_edit = look, self._in_an_interval()

    async def end_with_file(self, look: MessageLook, file: File) -> None:
        """The original message shows this, with a file; the others are removed. Raises `MessageError`."""
        await self._messages.edit(None, look.body(private=self._private), (file,))
        self._shown = MessageLook()
        while self._further:
            await self._remove(self._further[-1])
            self._further.pop()

    async def remove_earlier(self) -> None:
        """Remove the messages of an earlier process that this answer did not need."""
        while self._earlier_ids:
            await self._remove(self._earlier_ids[0])
            self._earlier_ids.popleft()

    async def take_buttons_away(self) -> None:
        """Take them from the newest message, if Discord lets the bot."""
        if self._shown.buttons:
            with trio.move_on_after(BUTTONS_TIMEOUT), suppress(MessageError):
                await self._messages.take_buttons_away(self.newest)

    def _in_an_interval(self) -> float:
        return trio.current_time() + self._options.pace.interval

    async def _edit_earlier(self, look: MessageLook) -> int | None:
        """Show this in the next message of an earlier process; its id, None where there is none."""
        while self._earlier_ids:
            try:
                await self._messages.edit(self._earlier_ids[0], look.body(private=self._private))
                return self._earlier_ids.popleft()
            except MessageGone:
                self._earlier_ids.popleft()
        return None

    async def _remove(self, message_id: int) -> None:
        """Where that fails, what was shown before stays: the answer is there all the same."""
        with suppress(MessageError):
            await self._messages.delete(message_id)
