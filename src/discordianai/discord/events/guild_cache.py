"""The bot's servers, channels and threads as the gateway describes them: which belongs to which.

Discord's own library keeps much more about them. All that is needed here are three ids for each channel, and
a large bot is in many servers. So channels with the same three share one object.
"""

from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from discordianai.discord.events.interaction import UNKNOWN, Lineage
from discordianai.discord.events.payload import (
    Malformed,
    Payload,
    optional_snowflake,
    record,
    records,
    snowflake,
    sound_records,
)
from discordianai.discord.events.permissions import FileRights

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
        self._of_guild: dict[int, array[int]] = {}  # the ids of its channels and threads
        self._missing: set[int] = set()
        self.guild_ids: set[int] = set()
        self.revision = 0
        """Grows with each change of `guild_ids`, which may be too many to compare."""
        self.file_rights = FileRights()
        self._bot_id: int | None = None
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

    def thread_opener_of(self, channel_id: int) -> int | None:
        """Who opened a thread."""
        channel = self._channels.get(channel_id)
        return channel.owner_id if channel else None

    def hear(self, event: str, data: Payload) -> None:
        """Learn from an event; those of other kinds are ignored. Raises `Malformed`."""
        self.file_rights.hear(event, data)
        match event:
            case "READY":  # all at once; GUILD_CREATE follows for each that is available
                self._hear_ready(data)
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
                self._drop_channel(snowflake(data, "id"))
            case _ if event in SINGLE_CHANNELS and data.get("guild_id") is not None:
                self._add(data, snowflake(data, "guild_id"))

    def _hear_ready(self, data: Payload) -> None:
        with suppress(Malformed):
            self._bot_id = optional_snowflake(record(data, "user", optional=True), "id")
        self.guild_ids = set(_ids_of(data, "guilds"))
        self.revision += 1
        self._missing = self.guild_ids.copy()
        self.complete = bool(self.guild_ids)
        if self.complete:
            self._drop_unlisted()

    def _drop_unlisted(self) -> None:
        """The bot has left servers while it was away."""
        for guild_id in self._of_guild.keys() - self.guild_ids:
            self._drop_channels(guild_id)
        self._bot_roles = {key: whose for key, whose in self._bot_roles.items() if whose[0] in self.guild_ids}
        self.file_rights.keep(self.guild_ids)

    def _add_guild(self, guild: Payload) -> None:
        """Discord documents that one may be sent as unavailable here, too: then it has no channels."""
        guild_id = snowflake(guild, "id")
        if guild_id not in self.guild_ids:
            self.guild_ids.add(guild_id)
            self.revision += 1
        if guild.get("unavailable") is True:
            self._missing.add(guild_id)
            return
        self._missing.discard(guild_id)
        self._drop_channels(guild_id)
        for role in sound_records(guild, "roles"):
            self._add_role(role, guild_id)
        alike: dict[ChannelInfo, ChannelInfo] = {}
        for channel in (*sound_records(guild, "channels"), *sound_records(guild, "threads")):
            self._add(channel, guild_id, alike)

    def _add(
        self, channel: Payload, guild_id: int, alike: dict[ChannelInfo, ChannelInfo] | None = None
    ) -> None:
        """A malformed one is skipped: the others of its server are still read.

        Threads come and go by the thousand, so those that are archived are forgotten. When somebody writes
        there again, THREAD_UPDATE comes first.
        """
        with suppress(Malformed):
            channel_id = snowflake(channel, "id")
            if "thread_metadata" in channel and _is_archived(channel):
                self._drop_channel(channel_id)
                return
            parent, owner = (optional_snowflake(channel, key) for key in ("parent_id", "owner_id"))
            info, before = ChannelInfo(guild_id, parent, owner), self._channels.get(channel_id)
            if before is None or before.guild_id != guild_id:
                self._drop_channel(channel_id)
                self._of_guild.setdefault(guild_id, array("Q")).append(channel_id)
            self._channels[channel_id] = info if alike is None else alike.setdefault(info, info)

    def _hear_role(self, event: str, data: Payload) -> None:
        if event == "GUILD_ROLE_CREATE":
            self._add_role(record(data, "role"), snowflake(data, "guild_id"))
        else:
            self._bot_roles.pop(snowflake(data, "role_id"), None)

    def _add_role(self, role: Payload, guild_id: int) -> None:
        """Keep the role that Discord has made for this bot. Until READY, which bot it is is not known."""
        with suppress(Malformed):
            tags = record(role, "tags", optional=True) or role  # the library may have moved them up
            bot_id = optional_snowflake(tags, "bot_id")
            if bot_id is not None and self._bot_id in {None, bot_id}:
                self._bot_roles[snowflake(role, "id")] = (guild_id, self._bot_id or bot_id)

    def _drop_guild(self, guild_id: int, *, gone: bool) -> None:
        """A server that is only unavailable comes back with all its channels."""
        self._drop_channels(guild_id)
        if not gone:
            self._missing.add(guild_id)
            return
        self._missing.discard(guild_id)
        self._bot_roles = {key: whose for key, whose in self._bot_roles.items() if whose[0] != guild_id}
        if guild_id in self.guild_ids:
            self.guild_ids.discard(guild_id)
            self.revision += 1

    def _drop_channels(self, guild_id: int) -> None:
        for channel_id in self._of_guild.pop(guild_id, ()):
            del self._channels[channel_id]

    def _drop_channel(self, channel_id: int) -> None:
        channel = self._channels.pop(channel_id, None)
        if channel is not None:
            self._of_guild[channel.guild_id].remove(channel_id)


def _is_archived(thread: Payload) -> bool:
    return record(thread, "thread_metadata", optional=True).get("archived") is True


def _ids_of(data: Payload, key: str) -> Iterator[int]:
    """The ids of the objects in a list; anything else is skipped."""
    found = data.get(key)
    for entry in found if isinstance(found, list | tuple) else ():
        with suppress(Malformed):
            yield snowflake(entry if isinstance(entry, dict) else {}, "id")
