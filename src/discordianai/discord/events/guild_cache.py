"""The bot's servers, channels and threads as the gateway describes them: which belongs to which.

Discord's own library keeps much more about them. All that is needed here are three ids for each channel.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from discordianai.discord.events.file_rights import FileRights
from discordianai.discord.events.interaction import UNKNOWN, Lineage
from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    optional_snowflake,
    record,
    records,
    snowflake,
)

SINGLE_CHANNELS = {"CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"}
"""Events whose data is one channel."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel or a thread: its server, the category or channel above it, and who opened it."""

    guild_id: int
    parent_id: int | None
    owner_id: int | None


class GuildCache:
    """Used on the listener's thread alone. Outlives the gateway's sessions."""

    def __init__(self) -> None:
        self._channels: dict[int, ChannelInfo] = {}
        self._missing: set[int] = set()
        self.guild_ids: set[int] = set()
        self.file_rights = FileRights()
        self._bot_roles: dict[int, tuple[int, int]] = {}  # of each bot's own role: the server, the bot
        self.complete = False
        """Whether the bot is in no server but `guild_ids`: READY named at least one. Where it names none, it
        may be that the bot has left them all, or that Discord has lost the list."""

    def own_among(self, role_ids: frozenset[int], bot_id: int) -> frozenset[int]:
        """Those of the roles that Discord has made for this bot: who mentions one means the bot."""
        return frozenset(role for role in role_ids if self._bot_roles.get(role, (0, 0))[1] == bot_id)

    def __len__(self) -> int:
        """How many channels and threads are known."""
        return len(self._channels)

    @property
    def missing(self) -> int:
        """How many of the bot's servers Discord has not sent yet, or has called unavailable."""
        return len(self._missing)

    def lineage(self, channel_id: int, told: Lineage = UNKNOWN) -> Lineage:
        """A channel and what is above it; `told` is what the event itself says about that.

        That outranks what is cached: it is newer, and comes for servers that Discord has not sent, too.
        """
        line = [channel_id, *told.ids]
        above = None if told.complete else self.parent_of(line[-1])
        while above is not None and above not in line:
            line.append(above)
            above = self.parent_of(above)
        complete = told.complete or line[-1] in self._channels
        return Lineage(tuple(line), complete)

    def parent_of(self, channel_id: int) -> int | None:
        """The channel that a thread belongs to, or the category of a channel."""
        channel = self._channels.get(channel_id)
        return channel.parent_id if channel else None

    def owner_of(self, channel_id: int) -> int | None:
        """Who opened a thread."""
        channel = self._channels.get(channel_id)
        return channel.owner_id if channel else None

    def hear(self, event: str, data: Payload) -> None:
        """Learn from an event; those of other kinds are ignored. Raises `Malformed`."""
        self.file_rights.hear(event, data)
        match event:
            case "READY":  # all at once; GUILD_CREATE follows for each that is available
                self.guild_ids = set(_ids_of(data, "guilds"))
                self._missing = self.guild_ids.copy()
                self.complete = bool(self.guild_ids)
            case "GUILD_CREATE":
                self._add_guild(data)
            case "GUILD_DELETE":
                self._drop_guild(snowflake(data, "id"), gone=not data.get("unavailable"))
            case "THREAD_LIST_SYNC":
                for thread in records(data, "threads"):
                    self._add(thread, snowflake(data, "guild_id"))
            case "GUILD_ROLE_CREATE" | "GUILD_ROLE_DELETE":
                self._hear_role(event, data)
            case "CHANNEL_DELETE" | "THREAD_DELETE":
                self._channels.pop(snowflake(data, "id"), None)
            case _ if event in SINGLE_CHANNELS and data.get("guild_id") is not None:
                self._add(data, snowflake(data, "guild_id"))

    def _add_guild(self, guild: Payload) -> None:
        """Discord documents that one may be sent as unavailable here, too: then it has no channels."""
        guild_id = snowflake(guild, "id")
        self.guild_ids.add(guild_id)
        if guild.get("unavailable") is True:
            self._missing.add(guild_id)
            return
        self._missing.discard(guild_id)
        for role in records(guild, "roles"):
            self._add_role(role, guild_id)
        for channel in (*records(guild, "channels"), *records(guild, "threads")):
            self._add(channel, guild_id)

    def _add(self, channel: Payload, guild_id: int) -> None:
        """A malformed one is skipped: the others of its server are still read."""
        with suppress(Malformed):
            parent, owner = (optional_snowflake(channel, key) for key in ("parent_id", "owner_id"))
            self._channels[snowflake(channel, "id")] = ChannelInfo(guild_id, parent, owner)

    def _hear_role(self, event: str, data: Payload) -> None:
        if event == "GUILD_ROLE_CREATE":
            self._add_role(record(data, "role"), snowflake(data, "guild_id"))
        else:
            self._bot_roles.pop(snowflake(data, "role_id"), None)

    def _add_role(self, role: Payload, guild_id: int) -> None:
        """Keep a role that Discord has made for a bot. Which bot this one is may not be known yet."""
        with suppress(Malformed):
            tags = record(role, "tags", optional=True) or role  # the library may have moved them up
            bot_id = optional_snowflake(tags, "bot_id")
            if bot_id is not None:
                self._bot_roles[snowflake(role, "id")] = (guild_id, bot_id)

    def _drop_guild(self, guild_id: int, *, gone: bool) -> None:
        """A server that is only unavailable comes back with all its channels."""
        self._channels = {
            key: channel for key, channel in self._channels.items() if channel.guild_id != guild_id
        }
        if gone:
            self.guild_ids.discard(guild_id)
            self._bot_roles = {key: whose for key, whose in self._bot_roles.items() if whose[0] != guild_id}
            self._missing.discard(guild_id)
        else:
            self._missing.add(guild_id)


def _ids_of(data: Payload, key: str) -> Iterator[int]:
    """The ids of the objects in a list; anything else is skipped."""
    found = data.get(key)
    for entry in found if isinstance(found, list | tuple) else ():
        with suppress(Malformed):
            yield snowflake(entry if isinstance(entry, dict) else {}, "id")
