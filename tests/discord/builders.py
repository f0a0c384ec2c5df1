"""Makes the records that these tests need, so that each names only what matters to it."""

from collections.abc import Mapping

from discordianai.discord.events.interaction import (
    UNKNOWN,
    CommandInteraction,
    ComponentInteraction,
    EventOrigin,
    Lineage,
)
from discordianai.records import Attachment, Person, Place, Question, ReplyAddress

ANN = Person(id=10, name="Ann")
ORDINARY = 1 << 11 | 1 << 15 | 1 << 35 | 1 << 38 | 1 << 50
"""What most people may: write, attach files, open threads and write in them, use apps of their own."""


def origin(
    *,
    person: Person = ANN,
    channel_id: int = 1,
    guild_id: int | None = 5,
    role_ids: frozenset[int] = frozenset(),
    permissions: int = 0,
    locale: str = "en-US",
    as_member: bool = True,
    above: Lineage = UNKNOWN,
) -> EventOrigin:
    return EventOrigin(
        interaction_id=100,
        application_id=200,
        token="interaction-token",
        person=person,
        place=Place(channel_id=channel_id, guild_id=guild_id),
        role_ids=role_ids,
        permissions=ORDINARY | permissions,
        locale=locale,
        as_member=as_member,
        above=above,
    )


def command(
    options: Mapping[str, str | bool] | None = None,
    name: str = "ask",
    *,
    person: Person = ANN,
    guild_id: int | None = 5,
    attachments: tuple[Attachment, ...] = (),
) -> CommandInteraction:
    where = origin(person=person, guild_id=guild_id)
    return CommandInteraction(where, name, {"prompt": "why?"} if options is None else options, attachments)


def press(
    custom_id: str,
    *,
    person: Person = ANN,
    permissions: int = 0,
    private: bool = False,
) -> ComponentInteraction:
    return ComponentInteraction(origin(person=person, permissions=permissions), custom_id, private)


def question(*, private: bool = False) -> Question:
    address = ReplyAddress(200, 100, "interaction-token", 1, private, 0.0)
    return Question(1, "why?", ANN, Place(1, 5), address)
