"""What Discord says about a message in a channel. Pure parsing, no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from discordianai.discord.interaction import Origin, attachments_of, person_of
from discordianai.model import Attachment, Place

ORDINARY, REPLY = 0, 19
"""Discord's numbers for what people write; all others are told by Discord itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was written; `text` is without the mention of the bot."""

    origin: Origin
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    mentions_bot: bool = False
    replies_to_bot: bool = False
    author_is_bot: bool = False


def parse(payload: Mapping[str, Any], bot_id: int) -> Message | None:
    """Read a MESSAGE_CREATE; None when it is not what somebody has written."""
    if payload.get("type") not in {ORDINARY, REPLY}:
        return None
    author, member = payload["author"], payload.get("member") or {}
    guild_id = payload.get("guild_id")
    replied_to = payload.get("referenced_message") or {}
    origin = Origin(
        interaction_id=int(payload["id"]),
        application_id=bot_id,
        token="",  # a message has none
        person=person_of(author),
        place=Place(int(payload["channel_id"]), int(guild_id) if guild_id else None),
        role_ids=frozenset(int(role) for role in member.get("roles", ())),
    )
    return Message(
        origin,
        text=re.sub(rf"<@!?{bot_id}>", "", payload.get("content") or "").strip(),
        attachments=attachments_of(payload),
        mentions_bot=any(int(user["id"]) == bot_id for user in payload.get("mentions", ())),
        replies_to_bot=int((replied_to.get("author") or {}).get("id", 0)) == bot_id,
        author_is_bot=bool(author.get("bot")) or "webhook_id" in payload,
    )
