"""Reads a MESSAGE_CREATE. Pure parsing, no I/O."""

import re
from dataclasses import dataclass, field, replace

from discordianai.discord.events.interaction import EventOrigin, member_of, person_of, place_of
from discordianai.discord.events.message_content import NOTHING, MessageContent, content_of
from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    number,
    record,
    snowflake,
    snowflakes,
    sound_records,
    sound_snowflakes,
)

ORDINARY, REPLY = 0, 19
"""Discord's numbers for messages that people write; all others are Discord's own."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message that was written. The text of `content` is without the mention of the bot.

    `replied_to` is the message that it replies to, None where it replies to none. With `reply_missing` it
    does, and Discord does not show that message: it was deleted, or was not sent along.
    """

    origin: EventOrigin
    content: MessageContent = field(default=NOTHING, repr=False)
    mentions_bot: bool = False
    mentioned_role_ids: frozenset[int] = frozenset()
    replied_to: MessageContent | None = field(default=None, repr=False)
    reply_missing: bool = False
    author_is_bot: bool = False

    def replies_to(self, user_id: int) -> bool:
        """Whether it replies to something that this user wrote."""
        return self.replied_to is not None and self.replied_to.author_id == user_id

    def without_mentions(self, role_ids: frozenset[int]) -> str:
        """Its text without the mentions of these roles."""
        text = self.content.text
        for role_id in role_ids:
            text = text.replace(f"<@&{role_id}>", "")
        return text.strip()


def parse(payload: Payload, bot_id: int) -> IncomingMessage | None:
    """Read a MESSAGE_CREATE; None if nobody has written it. Raises `Malformed`."""
    if number(payload, "type") not in {ORDINARY, REPLY}:
        return None
    author = record(payload, "author")
    from_bot = bool(author.get("bot")) or payload.get("webhook_id") is not None  # a webhook is no member
    origin = EventOrigin(
        interaction_id=snowflake(payload, "id"),
        application_id=bot_id,
        token="",  # a message has none
        person=person_of(author),
        place=place_of(payload, {}),
        role_ids=frozenset() if from_bot else snowflakes(member_of(payload), "roles"),
    )
    if from_bot:
        return IncomingMessage(origin, author_is_bot=True)  # nobody answers it, and it may have a lot in it
    content, replied_to = content_of(payload), _replied_to(payload)
    return IncomingMessage(
        origin,
        content=replace(content, text=re.sub(rf"<@!?{bot_id}>", "", content.text).strip()),
        mentions_bot=bot_id
        in sound_snowflakes(user.get("id") for user in sound_records(payload, "mentions")),
        mentioned_role_ids=sound_snowflakes(payload.get("mention_roles")),
        replied_to=replied_to,
        reply_missing=number(payload, "type") == REPLY and replied_to is None,
    )


def _replied_to(payload: Payload) -> MessageContent | None:
    """None also if it cannot be read: the reply is still a question."""
    try:
        message = record(payload, "referenced_message", optional=True)
        return content_of(message) if message else None
    except Malformed:
        return None
