"""What Discord says about one interaction, as a frozen record. Pure parsing, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from discordianai.model import Person, Place

Payload = Mapping[str, Any]
"""JSON from Discord: its shape is Discord's, and read here only."""

APPLICATION_COMMAND = 2


@dataclass(frozen=True, slots=True)
class Invocation:
    """One use of a slash command."""

    interaction_id: int
    application_id: int
    token: str = field(repr=False)  # lets its holder write as the bot
    command: str
    options: Mapping[str, str | int | float | bool] = field(repr=False)  # a person's words
    person: Person
    place: Place
    role_ids: frozenset[int]


def parse(payload: Payload) -> Invocation | None:
    """Read an INTERACTION_CREATE; None when it is not a command."""
    if payload["type"] != APPLICATION_COMMAND:
        return None
    member = payload.get("member")
    user = member["user"] if member else payload["user"]
    guild_id = payload.get("guild_id")
    return Invocation(
        interaction_id=int(payload["id"]),
        application_id=int(payload["application_id"]),
        token=payload["token"],
        command=payload["data"]["name"],
        options={option["name"]: option["value"] for option in payload["data"].get("options", ())},
        person=Person(id=int(user["id"]), name=user.get("global_name") or user["username"]),
        place=Place(channel_id=int(payload["channel_id"]), guild_id=int(guild_id) if guild_id else None),
        role_ids=frozenset(int(role) for role in member["roles"]) if member else frozenset(),
    )
