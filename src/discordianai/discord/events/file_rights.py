"""Who may attach files where, according to roles and channels: a message's event does not say it.

Of each server its owner, of each role and channel two of Discord's permissions are kept.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    number,
    optional_snowflake,
    record,
    records,
    snowflake,
)
from discordianai.discord.events.permissions import ADMINISTRATOR, ATTACH_FILES
from discordianai.records import Place


@dataclass(slots=True)
class _Guild:
    owner_id: int | None
    roles: dict[int, int] = field(default_factory=dict)
    """The permissions of each role; that of everybody has the server's id."""
    overwrites: dict[int, dict[int, bool]] = field(default_factory=dict)
    """For each channel that has any: whether it lets a role or a person attach files."""


class FileRights:
    """On the listener's thread, fed by `GuildCache.hear`."""

    def __init__(self) -> None:
        self._guilds: dict[int, _Guild] = {}

    def may_attach(self, place: Place, person_id: int, role_ids: Iterable[int]) -> bool:
        """Whether Discord lets that member attach files there; False where that is not known."""
        guild = self._guilds.get(place.guild_id or 0)
        if guild is None:
            return False
        held = [role for role in role_ids if role in guild.roles]
        permissions = guild.roles.get(place.guild_id or 0, 0)
        for role in held:
            permissions |= guild.roles[role]
        if permissions & ADMINISTRATOR or guild.owner_id == person_id:
            return True
        overwrites = guild.overwrites.get(place.parent_id or place.channel_id, {})
        allowed = overwrites.get(place.guild_id or 0, bool(permissions & ATTACH_FILES))
        told = [overwrites[role] for role in held if role in overwrites]
        return overwrites.get(person_id, any(told) if told else allowed)

    def hear(self, event: str, data: Payload) -> None:
        """Learn from an event; those of other kinds are ignored. Raises `Malformed`."""
        match event:
            case "GUILD_CREATE" if data.get("unavailable") is not True:
                self._add(data)
            case "GUILD_UPDATE" if (guild := self._guilds.get(snowflake(data, "id"))) is not None:
                guild.owner_id = optional_snowflake(data, "owner_id")
            case "GUILD_DELETE":
                self._guilds.pop(snowflake(data, "id"), None)
            case _ if (guild := self._guilds.get(optional_snowflake(data, "guild_id") or 0)) is not None:
                _hear_in(guild, event, data)

    def _add(self, data: Payload) -> None:
        guild = self._guilds[snowflake(data, "id")] = _Guild(optional_snowflake(data, "owner_id"))
        for role in records(data, "roles"):
            _add_role(guild, role)
        for channel in records(data, "channels"):
            _add_channel(guild, channel)


def _hear_in(guild: _Guild, event: str, data: Payload) -> None:
    match event:
        case "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE":
            _add_role(guild, record(data, "role"))
        case "GUILD_ROLE_DELETE":
            guild.roles.pop(snowflake(data, "role_id"), None)
        case "CHANNEL_CREATE" | "CHANNEL_UPDATE":
            _add_channel(guild, data)
        case "CHANNEL_DELETE":
            guild.overwrites.pop(snowflake(data, "id"), None)


def _add_role(guild: _Guild, role: Payload) -> None:
    """One that is malformed is skipped, as if it gave no right."""
    with suppress(Malformed):
        guild.roles[snowflake(role, "id")] = number(role, "permissions", 0) & (ADMINISTRATOR | ATTACH_FILES)


def _add_channel(guild: _Guild, channel: Payload) -> None:
    with suppress(Malformed):
        channel_id, told = snowflake(channel, "id"), dict[int, bool]()
        for overwrite in records(channel, "permission_overwrites"):
            if number(overwrite, "allow", 0) & ATTACH_FILES:  # it outranks what is denied
                told[snowflake(overwrite, "id")] = True
            elif number(overwrite, "deny", 0) & ATTACH_FILES:
                told[snowflake(overwrite, "id")] = False
        guild.overwrites.pop(channel_id, None)
        if told:
            guild.overwrites[channel_id] = told
