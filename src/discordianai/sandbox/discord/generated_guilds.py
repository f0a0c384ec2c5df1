"""Any number of further guilds, each described when it is sent: none is kept in memory.

Their sizes are ordinary ones: some ten roles and emojis, and channels in categories, some with permission
overwrites of their own and some with those of their category.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from discordianai.sandbox.discord.api_objects import (
    BOT,
    BOT_ROLE_ID,
    CATEGORY,
    ORDINARY,
    OWNER_ID,
    TEXT,
    Channel,
    Guild,
    Json,
    role_json,
)
from discordianai.sandbox.discord.shard import SandboxShard

FIRST = 250_000_000_000
"""Milliseconds from Discord's epoch until the first was made; one followed each millisecond."""

STRIDE = 7_919_000
"""Milliseconds between two channels of a guild, so that their ids differ as much as real ones do."""

VIEW, SEND, ATTACH = 1 << 10, 1 << 11, 1 << 15
FEATURES = ["COMMUNITY", "NEWS", "AUTO_MODERATION", "WELCOME_SCREEN_ENABLED", "INVITES_DISABLED"]


@dataclass(frozen=True, slots=True)
class GeneratedGuilds:
    """So many guilds, with so many channels each, categories included."""

    count: int
    channels: int

    def ids(self, shard: SandboxShard) -> Iterator[int]:
        """Those of a shard."""
        first = (shard.id - FIRST) % shard.total
        return ((FIRST + number) << 22 for number in range(first, self.count, shard.total))

    def __contains__(self, guild_id: int) -> bool:
        return not guild_id & 0x3FFFFF and 0 <= (guild_id >> 22) - FIRST < self.count

    def channel(self, guild_id: int, index: int) -> Channel:
        """Each tenth is a category, of the nine after it."""
        made = (guild_id >> 22) + (index + 1) * STRIDE
        parent = None if index % 10 == 0 else self.channel(guild_id, index - index % 10).id
        kind, name = (TEXT, f"channel-{index}") if parent else (CATEGORY, f"Category {index}")
        return Channel(made << 22 | index + 1, name, guild_id, kind, parent)

    def find_channel(self, channel_id: int) -> Channel | None:
        """The channel with this id, in whichever of them it is."""
        index = (channel_id & 0x3FFFFF) - 1
        guild_id = (channel_id >> 22) - (index + 1) * STRIDE << 22
        return self.channel(guild_id, index) if guild_id in self and 0 <= index < self.channels else None

    def json(self, guild_id: int) -> Json:
        """As GUILD_CREATE has it."""
        chance = random.Random(guild_id)  # noqa: S311  # the same guild each time
        channels = tuple(self.channel(guild_id, index) for index in range(self.channels))
        roles = [
            role_json((guild_id >> 22) + number << 22 | number, _words(chance, 1), chance.getrandbits(40))
            for number in range(1, 9 + self.channels // 10)
        ]
        own = role_json(BOT_ROLE_ID + (guild_id >> 22), BOT.name, 0)
        own |= {"managed": True, "tags": {"bot_id": str(BOT.id)}}
        others = [
            role_json(made + 1 << 22 | 99, _words(chance, 1), 0) | {"tags": {"bot_id": str(made << 22)}}
            for made in (chance.getrandbits(38) for _ in range(3))
        ]
        guild = Guild(guild_id, _words(chance, 3), channels).json(BOT)
        return {
            **guild,
            "owner_id": str(OWNER_ID + (guild_id >> 22)),
            "features": FEATURES,
            "roles": [role_json(guild_id, "@everyone", ORDINARY), *roles, *others, own],
            "icon": f"{chance.getrandbits(128):032x}",
            "emojis": [_emoji(guild_id, number, _words(chance, 1)) for number in range(10)],
            "channels": _with_overwrites(guild["channels"], [role["id"] for role in roles], chance),
            "member_count": chance.randint(5, 5000),
        }


def _with_overwrites(channels: list[Json], roles: list[str], chance: random.Random) -> list[Json]:
    of_category: list[Json] = []
    for channel in channels:
        if channel["type"] == CATEGORY:
            of_category = [_overwrite(role, chance) for role in chance.sample(roles, chance.randint(0, 4))]
        own = chance.random() < 0.3
        channel["permission_overwrites"] = (
            [_overwrite(role, chance) for role in chance.sample(roles, chance.randint(1, 3))]
            if own
            else of_category
        )
        channel["name"], channel["topic"] = _words(chance, 2), _words(chance, 12)
        channel["last_message_id"] = str(chance.getrandbits(59))
    return channels


def _overwrite(role: str, chance: random.Random) -> Json:
    allow, deny = chance.choice(
        [(VIEW | SEND, 0), (0, SEND), (ATTACH, 0), (0, ATTACH), (0, VIEW), (SEND, ATTACH)]
    )
    return {"id": role, "type": 0, "allow": str(allow), "deny": str(deny)}


def _words(chance: random.Random, count: int) -> str:
    """Such words do not compress better than people's."""
    return " ".join(f"{chance.getrandbits(24):x}" for _ in range(count))


def _emoji(guild_id: int, number: int, name: str) -> Json:
    return {
        "id": str((guild_id >> 22) + number * STRIDE << 22 | number),
        "name": name,
        "roles": [],
        "require_colons": True,
        "managed": False,
        "animated": number % 3 == 0,
        "available": True,
    }


@dataclass(frozen=True, slots=True)
class GuildToSend:
    """The data of a GUILD_CREATE, described only when it goes out, and again if it goes out once more."""

    guilds: GeneratedGuilds
    id: int

    def json(self) -> Json:
        """The data."""
        return self.guilds.json(self.id)
