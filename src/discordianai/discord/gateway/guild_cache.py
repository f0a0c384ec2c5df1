"""The bot's servers, channels and threads, as the gateway tells of them: what belongs to what.

Discord's own library keeps much more of them. All that is needed here are three numbers for each channel.
"""

from contextlib import suppress
from dataclasses import dataclass

from discordianai.discord.interactions.lineage import UNKNOWN, Lineage
from discordianai.discord.interactions.payload import (
    Malformed,
    Payload,
    optional_snowflake,
    record,
    records,
    snowflake,
)

TOLD_SINGLY = {"CHANNEL_CREATE", "CHANNEL_UPDATE", "THREAD_CREATE", "THREAD_UPDATE"}


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel or a thread: its server, the category or channel above it, and who opened it."""

    guild_id: int
    parent_id: int | None
    owner_id: int | None


class GuildCache:
    """Lives on the listener's thread."""

    def __init__(self) -> None:
        self._spots: dict[int, ChannelInfo] = {}
        self.guild_ids: set[int] = set()
        self._bot_roles: dict[int, tuple[int, int]] = {}  # of each bot's own role: the server, the bot

    def own_among(self, role_ids: frozenset[int], bot_id: int) -> frozenset[int]:
        """Those of the roles that Discord has made for this bot: who mentions one means the bot."""
        return frozenset(role for role in role_ids if self._bot_roles.get(role, (0, 0))[1] == bot_id)

    def __len__(self) -> int:
        """How many channels and threads are known."""
        return len(self._spots)

    def lineage(self, channel_id: int, told: Lineage = UNKNOWN) -> Lineage:
        """A channel and what is above it; `told` is what an event says of that, where it is not known."""
        line = [channel_id]
        above = self._above(channel_id) or next(iter(told.ids), None)
        while above is not None and above not in line:
            line.append(above)
            above = self._above(above)
        complete = line[-1] in self._spots or (told.complete and tuple(line[1:]) == told.ids)
        return Lineage(tuple(line), complete)

    def parent_of(self, channel_id: int) -> int | None:
        """The channel that a thread belongs to, or the category of a channel."""
        return self._above(channel_id)

    def owner_of(self, channel_id: int) -> int | None:
        """Who opened a thread."""
        spot = self._spots.get(channel_id)
        return spot.owner_id if spot else None

    def _above(self, channel_id: int) -> int | None:
        spot = self._spots.get(channel_id)
        return spot.parent_id if spot else None

    def hear(self, event: str, data: Payload) -> None:
        """Learn from an event; those that tell nothing of this are passed over. Raises `Malformed`."""
        match event:
            case "READY":  # all at once; GUILD_CREATE follows for each that is available
                self.guild_ids = {snowflake(guild, "id") for guild in records(data, "guilds")}
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
                self._spots.pop(snowflake(data, "id"), None)
            case _ if event in TOLD_SINGLY and data.get("guild_id") is not None:
                self._add(data, snowflake(data, "guild_id"))

    def _add(self, channel: Payload, guild_id: int) -> None:
        """One that is malformed is passed over: the others of its server are known all the same."""
        with suppress(Malformed):
            parent, owner = (optional_snowflake(channel, key) for key in ("parent_id", "owner_id"))
            self._spots[snowflake(channel, "id")] = ChannelInfo(guild_id, parent, owner)

    def _hear_role(self, event: str, data: Payload) -> None:
        if event == "GUILD_ROLE_CREATE":
            self._add_role(record(data, "role"), snowflake(data, "guild_id"))
        else:
            self._bot_roles.pop(snowflake(data, "role_id"), None)

    def _add_guild(self, data: Payload) -> None:
        guild_id = snowflake(data, "id")
        self.guild_ids.add(guild_id)
        for role in records(data, "roles"):
            self._add_role(role, guild_id)
        for channel in (*records(data, "channels"), *records(data, "threads")):
            self._add(channel, guild_id)

    def _add_role(self, role: Payload, guild_id: int) -> None:
        """Keep a role that Discord has made for a bot. Which bot this one is may not be known yet."""
        with suppress(Malformed):
            tags = record(role, "tags", optional=True) or role  # the library may have moved them up
            bot_id = optional_snowflake(tags, "bot_id")
            if bot_id is not None:
                self._bot_roles[snowflake(role, "id")] = (guild_id, bot_id)

    def _drop_guild(self, guild_id: int, *, gone: bool) -> None:
        """A server that is only unavailable comes back with all its channels."""
        self._spots = {key: spot for key, spot in self._spots.items() if spot.guild_id != guild_id}
        if gone:
            self.guild_ids.discard(guild_id)
            self._bot_roles = {key: whose for key, whose in self._bot_roles.items() if whose[0] != guild_id}
