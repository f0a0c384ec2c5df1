"""Discord's permissions, by its names and bits; and who may attach files where, by roles and channels.

A message's event does not say what its author may do. Of each server its owner, of each role and channel two
permissions are kept: in arrays, because a large bot is in many servers.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from contextlib import suppress

from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    number,
    optional_snowflake,
    record,
    records,
    snowflake,
    sound_records,
)
from discordianai.records import Place

ADMINISTRATOR = 1 << 3
"""It includes all others."""
MANAGE_CHANNELS = 1 << 4
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
SEND_MESSAGES_IN_THREADS = 1 << 38
USE_EXTERNAL_APPS = 1 << 50
"""Without it, Discord shows what a guest's app answers to nobody else."""
BYPASS_SLOWMODE = 1 << 52


_ADMINISTERS, _ATTACHES = 1, 2


class _Roles:
    """What each role of a server permits; that of everybody has the server's id."""

    __slots__ = ("_ids", "_permissions")

    def __init__(self, roles: dict[int, int]) -> None:
        self._ids = array("Q", sorted(roles))
        self._permissions = bytearray(roles[role] for role in self._ids)

    def get(self, role_id: int) -> int | None:
        """Its permissions, None for an unknown role."""
        at = bisect_left(self._ids, role_id)
        return self._permissions[at] if self._ids[at : at + 1] == array("Q", [role_id]) else None

    def put(self, role_id: int, permissions: int | None) -> None:
        """Set its permissions, or remove it."""
        at = bisect_left(self._ids, role_id)
        end = bisect_right(self._ids, role_id)
        self._ids[at:end] = array("Q", [] if permissions is None else [role_id])
        self._permissions[at:end] = [] if permissions is None else [permissions]


class _Overwrites:
    """Which channels let which role or person attach files, or do not: a row for each that says so."""

    __slots__ = ("_channels", "_told")

    def __init__(self, told: dict[int, list[int]]) -> None:
        ordered = sorted(told)
        self._channels = array("Q", (channel for channel in ordered for _ in told[channel]))
        self._told = array("q", (whose for channel in ordered for whose in told[channel]))

    def of(self, channel_id: int) -> dict[int, bool]:
        """Whether a channel lets a role or a person attach files, for each of which it says so."""
        at, end = bisect_left(self._channels, channel_id), bisect_right(self._channels, channel_id)
        return {abs(whose): whose > 0 for whose in self._told[at:end]}

    def put(self, channel_id: int, told: list[int]) -> None:
        """Replace those of a channel."""
        at, end = bisect_left(self._channels, channel_id), bisect_right(self._channels, channel_id)
        self._channels[at:end] = array("Q", [channel_id] * len(told))
        self._told[at:end] = array("q", told)


class _Guild:
    __slots__ = ("guild_id", "overwrites", "owner_id", "roles")

    def __init__(self, data: Payload) -> None:
        self.guild_id = snowflake(data, "id")
        self.owner_id = optional_snowflake(data, "owner_id")
        roles, overwrites = dict[int, int](), dict[int, list[int]]()
        for role in sound_records(data, "roles"):
            with suppress(Malformed):
                roles[snowflake(role, "id")] = _permissions(role)
        for channel in sound_records(data, "channels"):
            with suppress(Malformed):
                if told := _told(channel, self.guild_id):
                    overwrites[snowflake(channel, "id")] = told
        self.roles, self.overwrites = _Roles(roles), _Overwrites(overwrites)


class FileRights:
    """On the listener's thread, fed by `GuildCache.hear`."""

    def __init__(self) -> None:
        self._guilds: dict[int, _Guild] = {}

    def may_attach(self, place: Place, person_id: int, role_ids: Iterable[int]) -> bool:
        """Whether Discord lets that member attach files there; False where that is not known."""
        guild = self._guilds.get(place.guild_id or 0)
        if guild is None:
            return False
        known = {role: guild.roles.get(role) for role in role_ids}
        held = {role: permissions for role, permissions in known.items() if permissions is not None}
        permissions = guild.roles.get(place.guild_id or 0) or 0
        for each in held.values():
            permissions |= each
        if permissions & _ADMINISTERS or guild.owner_id == person_id:
            return True
        overwrites = guild.overwrites.of(place.parent_id or place.channel_id)
        allowed = overwrites.get(place.guild_id or 0, bool(permissions & _ATTACHES))
        told = [overwrites[role] for role in held if role in overwrites]
        return overwrites.get(person_id, any(told) if told else allowed)

    def hear(self, event: str, data: Payload) -> None:
        """Learn from an event; those of other kinds are ignored. Raises `Malformed`."""
        match event:
            case "GUILD_CREATE" if data.get("unavailable") is not True:
                self._guilds[snowflake(data, "id")] = _Guild(data)
            case "GUILD_UPDATE" if (guild := self._guilds.get(snowflake(data, "id"))) is not None:
                guild.owner_id = optional_snowflake(data, "owner_id")
            case "GUILD_DELETE":
                self._guilds.pop(snowflake(data, "id"), None)
            case _ if event.startswith(("GUILD_ROLE_", "CHANNEL_")):
                if (guild := self._guilds.get(optional_snowflake(data, "guild_id") or 0)) is not None:
                    _hear_in(guild, event, data)

    def keep(self, guild_ids: set[int]) -> None:
        """The bot is in no servers but these."""
        for guild_id in self._guilds.keys() - guild_ids:
            del self._guilds[guild_id]


def _hear_in(guild: _Guild, event: str, data: Payload) -> None:
    """A role or a channel that is malformed gives no right."""
    match event:
        case "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE":
            role = record(data, "role")
            with suppress(Malformed):
                guild.roles.put(snowflake(role, "id"), _permissions(role))
        case "GUILD_ROLE_DELETE":
            guild.roles.put(snowflake(data, "role_id"), None)
        case "CHANNEL_CREATE" | "CHANNEL_UPDATE":
            with suppress(Malformed):
                guild.overwrites.put(snowflake(data, "id"), _told(data, guild.guild_id))
        case "CHANNEL_DELETE":
            guild.overwrites.put(snowflake(data, "id"), [])


def _permissions(role: Payload) -> int:
    try:
        told = number(role, "permissions", 0)
    except Malformed:
        return 0
    return (told & ADMINISTRATOR and _ADMINISTERS) | (told & ATTACH_FILES and _ATTACHES)


def _told(channel: Payload, guild_id: int) -> list[int]:
    """The role or person of each overwrite that is about files, negative where it denies them.

    Where one is malformed, everybody's role is denied them, and nobody is allowed them.
    """
    told = list[int]()
    try:
        for overwrite in records(channel, "permission_overwrites"):
            if number(overwrite, "allow", 0) & ATTACH_FILES:  # it outranks what is denied
                told.append(snowflake(overwrite, "id"))
            elif number(overwrite, "deny", 0) & ATTACH_FILES:
                told.append(-snowflake(overwrite, "id"))
    except Malformed:
        return [-guild_id]
    return told
