"""What Discord says about one interaction, as frozen records. Pure parsing, no I/O."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from discordianai.model import Person, Place

Payload = Mapping[str, Any]
"""JSON from Discord: its shape is Discord's, and read here only."""

APPLICATION_COMMAND, MESSAGE_COMPONENT = 2, 3
EPHEMERAL = 64
"""The flag of a message that one person sees."""

ADMINISTRATOR, MANAGE_MESSAGES = 1 << 3, 1 << 13


@dataclass(frozen=True, slots=True)
class Origin:
    """Who does something where, and how to answer. `permissions` are those of the person in the channel.

    `arrived_at` is in monotonic seconds: Discord waits three for the acknowledgement.
    """

    interaction_id: int
    application_id: int
    token: str = field(repr=False)  # lets its holder write as the bot
    person: Person
    place: Place
    role_ids: frozenset[int] = frozenset()
    permissions: int = 0
    arrived_at: float = field(default_factory=time.monotonic, compare=False)

    def may(self, permission: int) -> bool:
        """Whether Discord gives this person that permission here."""
        return bool(self.permissions & (permission | ADMINISTRATOR))


@dataclass(frozen=True, slots=True)
class Command:
    """One use of a slash command."""

    origin: Origin
    name: str
    options: Mapping[str, str | int | float | bool] = field(repr=False)  # a person's words


@dataclass(frozen=True, slots=True)
class Press:
    """A button is pressed, under a message that answers `asker`, and is shown to nobody else if `private`."""

    origin: Origin
    custom_id: str
    asker: Person | None
    private: bool


def parse(payload: Payload) -> Command | Press | None:
    """Read an INTERACTION_CREATE; None when it is nothing that this bot knows."""
    data = payload.get("data", {})
    if payload["type"] == APPLICATION_COMMAND:
        options = {option["name"]: option["value"] for option in data.get("options", ())}
        return Command(_origin(payload), data["name"], options)
    if payload["type"] == MESSAGE_COMPONENT:
        message = payload["message"]
        asker = (message.get("interaction_metadata") or {}).get("user")
        private = bool(message.get("flags", 0) & EPHEMERAL)
        return Press(_origin(payload), data["custom_id"], _person(asker) if asker else None, private)
    return None


def _origin(payload: Payload) -> Origin:
    member = payload.get("member") or {}
    guild_id = payload.get("guild_id")
    return Origin(
        interaction_id=int(payload["id"]),
        application_id=int(payload["application_id"]),
        token=payload["token"],
        person=_person(member["user"] if member else payload["user"]),
        place=Place(channel_id=int(payload["channel_id"]), guild_id=int(guild_id) if guild_id else None),
        role_ids=frozenset(int(role) for role in member.get("roles", ())),
        permissions=int(member.get("permissions", 0)),
    )


def _person(user: Payload) -> Person:
    return Person(id=int(user["id"]), name=user.get("global_name") or user["username"])
