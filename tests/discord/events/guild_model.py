"""What `GuildCache` and `FileRights` must know, kept as plainly as can be: dictionaries of what was heard."""

from dataclasses import dataclass, field
from typing import Any

from discordianai.discord.events.permissions import ADMINISTRATOR, ATTACH_FILES

Json = dict[str, Any]


@dataclass
class ModelGuild:
    """One server: its owner, the permissions of its roles, and each channel as it was last sent."""

    owner: int | None
    roles: dict[int, int] = field(default_factory=dict)
    overwrites: dict[int, list[Json]] = field(default_factory=dict)


@dataclass
class GuildModel:
    """Hears the same events."""

    bot_id: int
    listed: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    guilds: dict[int, ModelGuild] = field(default_factory=dict)
    channels: dict[int, tuple[int, Json]] = field(default_factory=dict)
    """For each channel or thread its server, and what was last said of it."""
    own_roles: dict[int, int] = field(default_factory=dict)
    """For each of the bot's own roles its server."""

    def hear(self, event: str, data: Json) -> None:
        """Learn from an event."""
        getattr(self, f"hear_{event.lower()}")(data)

    def hear_ready(self, data: Json) -> None:
        """The bot is in these servers, and none is known yet."""
        self.listed = {int(each["id"]) for each in data["guilds"]}
        self.missing = set(self.listed)
        heard_of = {*self.guilds, *self.own_roles.values(), *(guild for guild, _ in self.channels.values())}
        for guild in heard_of - self.listed if self.listed else ():
            self._forget(guild)

    def hear_guild_create(self, data: Json) -> None:
        """All of a server, in place of what was known."""
        guild = int(data["id"])
        self.listed.add(guild)
        if data.get("unavailable"):
            self.missing.add(guild)
            return
        self.missing.discard(guild)
        self._forget_channels(guild)
        self.guilds[guild] = ModelGuild(int(data["owner_id"]))
        for role in data["roles"]:
            self.hear_guild_role_create({"guild_id": guild, "role": role})
        for channel in (*data["channels"], *data["threads"]):
            self._place(guild, channel)
        self.guilds[guild].overwrites = {
            int(each["id"]): each.get("permission_overwrites", []) for each in data["channels"]
        }

    def hear_guild_delete(self, data: Json) -> None:
        """A server is left, or away."""
        guild = int(data["id"])
        if data.get("unavailable"):
            self.missing.add(guild)
            self.guilds.pop(guild, None)
            self._forget_channels(guild)
            return
        self.listed.discard(guild)
        self.missing.discard(guild)
        self._forget(guild)

    def hear_guild_role_create(self, data: Json) -> None:
        """A role, as it is from now on."""
        guild, role = int(data["guild_id"]), data["role"]
        if guild in self.guilds:
            self.guilds[guild].roles[int(role["id"])] = int(role["permissions"])
        if int(role.get("tags", {}).get("bot_id", 0)) == self.bot_id:
            self.own_roles[int(role["id"])] = guild

    def hear_guild_role_delete(self, data: Json) -> None:
        """A role is gone."""
        self.own_roles.pop(int(data["role_id"]), None)
        if int(data["guild_id"]) in self.guilds:
            self.guilds[int(data["guild_id"])].roles.pop(int(data["role_id"]), None)

    def hear_channel_update(self, data: Json) -> None:
        """A channel, as it is from now on."""
        guild = int(data["guild_id"])
        self._place(guild, data)
        if guild in self.guilds:
            self.guilds[guild].overwrites[int(data["id"])] = data.get("permission_overwrites", [])

    def hear_channel_delete(self, data: Json) -> None:
        """A channel is gone."""
        self.channels.pop(int(data["id"]), None)
        if int(data["guild_id"]) in self.guilds:
            self.guilds[int(data["guild_id"])].overwrites.pop(int(data["id"]), None)

    def hear_thread_update(self, data: Json) -> None:
        """A thread, as it is from now on."""
        self._place(int(data["guild_id"]), data)

    def hear_thread_delete(self, data: Json) -> None:
        """A thread is gone."""
        self.channels.pop(int(data["id"]), None)

    def hear_thread_list_sync(self, data: Json) -> None:
        """Some threads."""
        for thread in data["threads"]:
            self._place(int(data["guild_id"]), thread)

    def _place(self, guild: int, channel: Json) -> None:
        self.channels.pop(int(channel["id"]), None)
        if not channel.get("thread_metadata", {}).get("archived"):
            self.channels[int(channel["id"])] = guild, channel

    def _forget_channels(self, guild: int) -> None:
        self.channels = {each: known for each, known in self.channels.items() if known[0] != guild}

    def _forget(self, guild: int) -> None:
        self._forget_channels(guild)
        self.guilds.pop(guild, None)
        self.own_roles = {role: where for role, where in self.own_roles.items() if where != guild}

    def said(self, channel: int, key: str) -> int | None:
        """What was last said of a channel."""
        _, known = self.channels.get(channel, (0, {}))
        return None if known.get(key) is None else int(known[key])

    def may_attach(self, guild_id: int, channel: int, person: int, roles: tuple[int, ...]) -> bool:
        """As Discord documents it: everybody's permissions, the roles', then the overwrites in that order."""
        guild = self.guilds.get(guild_id)
        if guild is None:
            return False
        held = [role for role in roles if role in guild.roles]
        given = [guild.roles[role] for role in {*held, guild_id} if role in guild.roles]
        if guild.owner == person or any(each & ADMINISTRATOR for each in given):
            return True
        allowed = any(each & ATTACH_FILES for each in given)
        overwrites = {int(each["id"]): each for each in guild.overwrites.get(channel, [])}
        for group in ([guild_id], held, [person]):
            told = [overwrites[each] for each in group if each in overwrites]
            if any(int(each["deny"]) & ATTACH_FILES for each in told):
                allowed = False
            if any(int(each["allow"]) & ATTACH_FILES for each in told):
                allowed = True
        return allowed
