"""What one message of an answer shows: its text and its buttons."""

from contextlib import suppress
from dataclasses import dataclass

import trio

from discordianai.answering.reply import AnswerEnd
from discordianai.conversations.pending_questions import TurnId
from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.messages import buttons
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.messages.fallbacks import FallbackMessages
from discordianai.discord.messages.port import Body, MessageError
from discordianai.text import well_formed

SUPPRESS_EMBEDS = 4

WITHIN = 20.0
"""Seconds to take the buttons away."""


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


def last_buttons(
    person_id: int, closing: AnswerEnd, turn: TurnId | None, *, can_search: bool
) -> tuple[Button, ...]:
    """Those below a whole answer; `turn` is what was asked, where that is remembered."""
    last = [Button(Action.GO_ON, person_id)] if closing.unfinished else []
    if turn is not None:
        last.append(buttons.about_turn(Action.AGAIN, person_id, turn))
        if can_search and not closing.searched:
            last.append(buttons.about_turn(Action.SEARCH, person_id, turn))
    return tuple(last)


async def take_buttons_away(messages: FallbackMessages, message_id: int | None, shown: MessageLook) -> None:
    """Take them from a message that shows this, if Discord lets the bot."""
    if shown.buttons:
        with trio.move_on_after(WITHIN), suppress(MessageError):
            await messages.take_buttons_away(message_id)
