"""What Discord says about one thing that a person did, as frozen records. Pure parsing, no I/O."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from discordianai.discord.events.message_content import (
    EPHEMERAL as EPHEMERAL,
)
from discordianai.discord.events.message_content import (
    NOTHING,
    MessageContent,
    attachment_of,
    content_of,
    display_name,
)
from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    Value,
    name,
    number,
    optional_snowflake,
    record,
    records,
    snowflake,
    snowflakes,
    text,
    value,
)
from discordianai.discord.events.permissions import ADMINISTRATOR
from discordianai.records import Attachment, Person, Place


@dataclass(frozen=True, slots=True)
class Lineage:
    """Ids from the channel upwards: a thread's channel, a category.

    Where it is not `complete`, there may be more above that is not known.
    """

    ids: tuple[int, ...] = ()
    complete: bool = False


UNKNOWN = Lineage()
"""Nothing is known about it."""


APPLICATION_COMMAND, MESSAGE_COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
SLASH, MESSAGE_MENU = 1, 3
FILE = 11
TEXT, ANNOUNCEMENTS = 0, 5
THREADS = {10, 11, 12}
"""Discord's numbers for interactions, commands, options that are files, channels in which threads are opened,
and threads."""

SERVER_INSTALL = "0"
"""The key of `authorizing_integration_owners` where the bot itself is in the server."""

WITH_THE_BOT, WITH_OTHERS = 1, 2
"""The contexts of an interaction in direct messages with the bot, and in all other direct messages."""


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What a channel requires of people who write in it; `slow_mode` is in seconds, 0 for none.

    In one that `takes_threads`, threads can be opened.
    """

    takes_threads: bool = True
    in_thread: bool = False
    locked: bool = False
    slow_mode: int = 0


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """Who does something where, and how to answer. `permissions` are those of the person in the channel.

    `locale` is the person's language in Discord. With `as_member` the bot is in the server, or in a direct
    message with the person; otherwise somebody uses it as an app of their own. `above` is what the event says
    to be above the channel. `form_text` was written into a form, and Discord shows it nowhere afterwards.
    `arrived_at` is in monotonic seconds: Discord waits three for the acknowledgement.
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
    above: Lineage = UNKNOWN
    channel: ChannelRules = ChannelRules()
    form_text: str = field(default="", repr=False)  # a person's words
    arrived_at: float = field(default_factory=time.monotonic, compare=False)

    def may(self, permission: int) -> bool:
        """Whether Discord gives this person that permission here."""
        return bool(self.permissions & (permission | ADMINISTRATOR))


class Location(Enum):
    """The kinds of places that the access lists distinguish."""

    SERVER = auto()
    """A channel or thread of a server that the bot is a member of."""
    DIRECT_MESSAGE = auto()
    """A person's direct messages with the bot."""
    GROUP_DM = auto()
    """Direct messages with others, where the bot is somebody's own app."""
    OTHER_SERVER = auto()
    """A server that the bot is not a member of, where it is somebody's own app."""


def location(origin: EventOrigin) -> Location:
    """Where something happens. A person is a guest of the bot in the last two."""
    if origin.place.guild_id is None:
        return Location.DIRECT_MESSAGE if origin.as_member else Location.GROUP_DM
    return Location.SERVER if origin.as_member else Location.OTHER_SERVER


@dataclass(frozen=True, slots=True)
class CommandInteraction:
    """One use of a slash command."""

    origin: EventOrigin
    name: str
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)  # a person's words
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageCommandInteraction:
    """One use of a command in the menu of a `message`."""

    origin: EventOrigin
    name: str
    message: MessageContent = NOTHING


@dataclass(frozen=True, slots=True)
class ComponentInteraction:
    """A button is pressed, under a message that nobody else sees if `private`."""

    origin: EventOrigin
    custom_id: str
    private: bool


@dataclass(frozen=True, slots=True)
class AutocompleteInteraction:
    """A person fills in the option `focused` of a command, and has typed `text`."""

    origin: EventOrigin
    name: str
    focused: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModalInteraction:
    """A modal is submitted; what its only field says is the origin's `form_text`."""

    origin: EventOrigin
    custom_id: str


Interaction = (
    CommandInteraction
    | MessageCommandInteraction
    | ComponentInteraction
    | AutocompleteInteraction
    | ModalInteraction
)


def parse(payload: Payload) -> Interaction | None:
    """Read an INTERACTION_CREATE; None for Discord's own question whether the bot is there.

    Raises `Malformed`, also where it is of a kind that this bot does not know: whoever did that waits.
    """
    match number(payload, "type"):
        case 1:
            return None
        case 2 if number(data := record(payload, "data"), "type", SLASH) == MESSAGE_MENU:
            return _message_command(payload, data)
        case 2:
            return _command(payload, record(payload, "data"))
        case 3:
            return _component(payload, record(payload, "data"))
        case 4:
            return _autocomplete(payload, record(payload, "data"))
        case 5:
            return _modal(payload, record(payload, "data"))
    raise Malformed("type is of no known kind")


def _message_command(payload: Payload, data: Payload) -> MessageCommandInteraction:
    messages = record(record(data, "resolved"), "messages")
    message = record(messages, text(data, "target_id"))
    return MessageCommandInteraction(_origin(payload), name(data, "name"), content_of(message))


def _command(payload: Payload, data: Payload) -> CommandInteraction:
    files = record(record(data, "resolved", optional=True), "attachments", optional=True)
    said: dict[str, Value] = {}
    attachments: list[Attachment] = []
    for option in records(data, "options"):
        chosen = value(option, "value")
        if option.get("type") == FILE or (isinstance(chosen, str) and chosen in files):
            attachments.append(attachment_of(record(files, str(chosen), optional=True)))
        else:
            said[name(option, "name")] = chosen
    return CommandInteraction(_origin(payload), name(data, "name"), said, tuple(attachments))


def _component(payload: Payload, data: Payload) -> ComponentInteraction:
    message = record(payload, "message")
    private = bool(number(message, "flags", 0) & EPHEMERAL)
    return ComponentInteraction(_origin(payload), text(data, "custom_id"), private)


def _autocomplete(payload: Payload, data: Payload) -> AutocompleteInteraction:
    focused = next((option for option in records(data, "options") if option.get("focused")), None)
    if focused is None:
        return AutocompleteInteraction(_origin(payload), name(data, "name"), "", "")
    return AutocompleteInteraction(
        _origin(payload), name(data, "name"), name(focused, "name"), str(value(focused, "value"))
    )


def _modal(payload: Payload, data: Payload) -> ModalInteraction:
    written = _written(data)
    return ModalInteraction(replace(_origin(payload), form_text=written), text(data, "custom_id"))


def _written(data: Payload) -> str:
    fields = [part for row in records(data, "components") for part in records(row, "components")]
    return text(fields[0], "value") if fields else ""


def form_text_of(payload: Payload) -> str:
    """What was written into a form whose event could not be handled; empty where that cannot be read."""
    try:
        return _written(record(payload, "data"))
    except Malformed:
        return ""


def _origin(payload: Payload) -> EventOrigin:
    member = member_of(payload)
    channel = record(payload, "channel", optional=True)
    return EventOrigin(
        interaction_id=snowflake(payload, "id"),
        application_id=snowflake(payload, "application_id"),
        token=text(payload, "token"),
        person=person_of(record(member or payload, "user")),
        place=place_of(payload, channel),
        role_ids=snowflakes(member, "roles"),
        permissions=number(member, "permissions", 0),
        locale=name(payload, "locale", "en-US"),
        as_member=_as_member(payload),
        above=_above(channel),
        channel=_rules(channel),
    )


def _as_member(payload: Payload) -> bool:
    context, owners = payload.get("context"), payload.get("authorizing_integration_owners")
    if context == WITH_OTHERS:
        return False
    return context == WITH_THE_BOT or not isinstance(owners, Mapping) or SERVER_INSTALL in owners


def _above(channel: Payload) -> Lineage:
    """A thread's channel may be in a category, which no event of the thread names.

    An event that leaves `parent_id` out does not say that there is none.
    """
    parent_id = optional_snowflake(channel, "parent_id")
    ids = () if parent_id is None else (parent_id,)
    complete = "parent_id" in channel and number(channel, "type", 0) not in THREADS
    return Lineage(ids, complete)


def _rules(channel: Payload) -> ChannelRules:
    thread = record(channel, "thread_metadata", optional=True)
    kind = number(channel, "type", TEXT)
    return ChannelRules(
        takes_threads=kind in {TEXT, ANNOUNCEMENTS},
        in_thread=kind in THREADS,
        locked=thread.get("locked") is True,
        slow_mode=number(channel, "rate_limit_per_user", 0),
    )


def place_of(event: Payload, channel: Payload) -> Place:
    """Where something happened; of a thread also the channel that it belongs to."""
    in_thread = number(channel, "type", 0) in THREADS
    parent_id = optional_snowflake(channel, "parent_id") if in_thread else None
    return Place(snowflake(event, "channel_id"), optional_snowflake(event, "guild_id"), parent_id)


def member_of(event: Payload) -> Payload:
    """Who did something as a member of a server; empty in direct messages.

    Raises `Malformed` where a server's event has none, or not their roles: nobody could tell whether one of
    these is blocked.
    """
    in_server = event.get("guild_id") is not None
    member = record(event, "member", optional=not in_server)
    if in_server and member.get("roles") is None:
        raise Malformed("roles is no list")
    return member


def person_of(user: Payload) -> Person:
    """A user as a person."""
    return Person(snowflake(user, "id"), display_name(user))
