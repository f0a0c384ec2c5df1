"""What Discord says about one thing that a person did, as frozen records. Pure parsing, no I/O."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from discordianai.model import Attachment, Person, Place

Payload = Mapping[str, Any]
"""JSON from Discord: its shape is Discord's, and read here only."""

APPLICATION_COMMAND, MESSAGE_COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
SLASH, MESSAGE_MENU = 1, 3
THREADS = {10, 11, 12}
"""Discord's numbers for interactions, commands, and channels that are threads."""

EPHEMERAL = 64
"""The flag of a message that one person sees."""

ADMINISTRATOR, MANAGE_CHANNELS, MANAGE_MESSAGES = 1 << 3, 1 << 4, 1 << 13

SERVER_INSTALL = "0"
"""The key of `authorizing_integration_owners` where the bot itself is in the server."""

WITH_THE_BOT = 1
"""The context of an interaction in direct messages with the bot; those of others have another."""

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Who does something where, and how to answer. `permissions` are those of the person in the channel.

    `locale` is the person's language in Discord. With `as_member` the bot is in the server, or in a direct
    message with the person; otherwise somebody uses it as an app of their own. `arrived_at` is in monotonic
    seconds: Discord waits three for the acknowledgement.
    """

    interaction_id: int
    application_id: int
    token: str = field(repr=False)  # lets its holder write as the bot
    person: Person
    place: Place
    role_ids: frozenset[int] = frozenset()
    permissions: int = 0
    locale: str = "en-US"
    as_member: bool = True
    arrived_at: float = field(default_factory=time.monotonic, compare=False)

    def may(self, permission: int) -> bool:
        """Whether Discord gives this person that permission here."""
        return bool(self.permissions & (permission | ADMINISTRATOR))


@dataclass(frozen=True, slots=True)
class Command:
    """One use of a slash command."""

    origin: Origin
    name: str
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)  # a person's words
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class MenuUse:
    """A command of the menu of a message, which says `text`."""

    origin: Origin
    name: str
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Press:
    """A button is pressed, under a message that answers `asker`, and is shown to nobody else if `private`."""

    origin: Origin
    custom_id: str
    asker: Person | None
    private: bool


@dataclass(frozen=True, slots=True)
class Typing:
    """A person fills in the option `focused` of a command, and has typed `text`."""

    origin: Origin
    name: str
    focused: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Submission:
    """A form is sent; its only field says `text`."""

    origin: Origin
    custom_id: str
    text: str = field(repr=False)


Interaction = Command | MenuUse | Press | Typing | Submission


def parse(payload: Payload) -> Interaction | None:
    """Read an INTERACTION_CREATE; None when it is nothing that this bot knows."""
    data = payload.get("data", {})
    match payload["type"]:
        case 2 if data.get("type") == MESSAGE_MENU:
            message = data["resolved"]["messages"][data["target_id"]]
            return MenuUse(_origin(payload), data["name"], message["content"], attachments_of(message))
        case 2:
            return _command(payload, data)
        case 3:
            return _press(payload, data)
        case 4:
            focused = next((option for option in data.get("options", ()) if option.get("focused")), None)
            text = str(focused["value"]) if focused else ""
            return Typing(_origin(payload), data["name"], focused["name"] if focused else "", text)
        case 5:
            fields = [part for row in data["components"] for part in row.get("components", ())]
            return Submission(_origin(payload), data["custom_id"], fields[0]["value"] if fields else "")
    return None


def _command(payload: Payload, data: Payload) -> Command:
    options = {option["name"]: option["value"] for option in data.get("options", ())}
    files = data.get("resolved", {}).get("attachments", {})
    attachments = tuple(_attachment(files[value]) for value in options.values() if value in files)
    said = {name: value for name, value in options.items() if value not in files}
    return Command(_origin(payload), data["name"], said, attachments)


def _press(payload: Payload, data: Payload) -> Press:
    message = payload["message"]
    asker = (message.get("interaction_metadata") or {}).get("user")
    private = bool(message.get("flags", 0) & EPHEMERAL)
    return Press(_origin(payload), data["custom_id"], person_of(asker) if asker else None, private)


def _origin(payload: Payload) -> Origin:
    member = payload.get("member") or {}
    guild_id = payload.get("guild_id")
    owners = payload.get("authorizing_integration_owners")
    return Origin(
        interaction_id=int(payload["id"]),
        application_id=int(payload["application_id"]),
        token=payload["token"],
        person=person_of(member["user"] if member else payload["user"]),
        place=place_of(payload.get("channel") or {}, int(payload["channel_id"]), guild_id),
        role_ids=frozenset(int(role) for role in member.get("roles", ())),
        permissions=int(member.get("permissions", 0)),
        locale=payload.get("locale", "en-US"),
        as_member=owners is None or SERVER_INSTALL in owners or payload.get("context") == WITH_THE_BOT,
    )


def place_of(channel: Payload, channel_id: int, guild_id: str | None) -> Place:
    """A channel as a place; of a thread also the channel that it belongs to."""
    parent = channel.get("parent_id") if channel.get("type") in THREADS else None
    return Place(channel_id, int(guild_id) if guild_id else None, int(parent) if parent else None)


def person_of(user: Payload) -> Person:
    """A user as a person."""
    return Person(id=int(user["id"]), name=user.get("global_name") or user["username"])


def attachments_of(message: Payload) -> tuple[Attachment, ...]:
    """The files of a message."""
    return tuple(_attachment(file) for file in message.get("attachments", ()))


def _attachment(file: Payload) -> Attachment:
    return Attachment(file["filename"], file["url"], int(file["size"]), file.get("content_type") or "")
