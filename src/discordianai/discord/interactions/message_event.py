"""What Discord says about a message in a channel. Pure parsing, no I/O."""

import re
from dataclasses import dataclass, field

from discordianai.discord.interactions.interaction import EventOrigin, attachments_of, person_of, place_of
from discordianai.discord.interactions.payload import (
    Payload,
    number,
    optional_snowflake,
    record,
    records,
    snowflake,
    snowflakes,
    text,
)
from discordianai.records import Attachment

ORDINARY, REPLY = 0, 19
"""Discord's numbers for what people write; all others are told by Discord itself."""


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """Something that was written; `text` is without the mention of the bot."""

    origin: EventOrigin
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    mentions_bot: bool = False
    replies_to_bot: bool = False
    author_is_bot: bool = False


def parse(payload: Payload, bot_id: int) -> IncomingMessage | None:
    """Read a MESSAGE_CREATE; None when it is not what somebody has written. Raises `Malformed`."""
    if number(payload, "type") not in {ORDINARY, REPLY}:
        return None
    author, member = record(payload, "author"), record(payload, "member", optional=True)
    replied_to = record(payload, "referenced_message", optional=True)
    origin = EventOrigin(
        interaction_id=snowflake(payload, "id"),
        application_id=bot_id,
        token="",  # a message has none
        person=person_of(author),
        place=place_of(payload, {}),
        role_ids=snowflakes(member, "roles"),
    )
    return IncomingMessage(
        origin,
        text=re.sub(rf"<@!?{bot_id}>", "", text(payload, "content", "")).strip(),
        attachments=attachments_of(payload),
        mentions_bot=any(snowflake(user, "id") == bot_id for user in records(payload, "mentions")),
        replies_to_bot=optional_snowflake(record(replied_to, "author", optional=True), "id") == bot_id,
        author_is_bot=bool(author.get("bot")) or "webhook_id" in payload,
    )
