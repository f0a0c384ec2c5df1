"""The local Discord's users, guild and channels, as its API writes them."""

import base64
import itertools
import time
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""An object of Discord's API."""

EPOCH = 1_420_070_400_000
"""The first millisecond of 2015, where snowflakes begin."""

BOT_ID = 1_300_000_000_000_000_001
BOT_ROLE_ID = 1_300_000_000_000_000_003
"""The role that Discord makes for a bot when it is invited with permissions."""
OWNER_ID = 1_300_000_000_000_000_002
EVERYTHING = 2**53 - 1
"""Every permission."""
ADMINISTRATOR, EXTERNAL_APPS = 1 << 3, 1 << 50
ORDINARY = 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 31 | 1 << 35 | 1 << 38 | EXTERNAL_APPS
"""A member's default permissions: view, send, embed, attach, read history, commands, threads, own apps."""


class Snowflakes:
    """Makes ids as Discord does: they grow with time, and each is unique."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def next(self) -> int:
        """A new id."""
        milliseconds = int(time.time() * 1000) - EPOCH
        return (milliseconds << 22) | (next(self._numbers) & 0x3FFFFF)


def interaction_token(interaction_id: int, secret: str) -> str:
    """A token in Discord's form, which names its interaction."""
    return base64.urlsafe_b64encode(f"interaction:{interaction_id}:{secret}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class User:
    """A user; the bot is one."""

    id: int
    name: str
    bot: bool = False
    permissions: int = ORDINARY
    roles: tuple[int, ...] = ()

    def json(self) -> Json:
        """As the API writes it."""
        return {
            "id": str(self.id),
            "username": self.name.lower(),
            "global_name": self.name,
            "discriminator": "0",
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
            "flags": 0,
            "verified": True,
            "mfa_enabled": True,
        }


TEXT, DIRECT, CATEGORY, THREAD = 0, 1, 4, 11
"""Discord's channel types."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, category or thread of the guild, or a direct message channel where `guild_id` is None."""

    id: int
    name: str
    guild_id: int | None
    kind: int = TEXT
    parent_id: int | None = None
    owner_id: int | None = None
    slow_mode: int = 0
    locked: bool = False

    def json(self) -> Json:
        """As the API writes it."""
        common: Json = {"id": str(self.id), "last_message_id": None, "flags": 0}
        if self.guild_id is None:
            recipient = User(self.id + 1, self.name)
            return {**common, "type": DIRECT, "recipients": [recipient.json()]}
        owner = {"owner_id": str(self.owner_id)} if self.owner_id else {}
        metadata = {"archived": False, "locked": self.locked}
        thread: Json = {"thread_metadata": metadata} if self.kind == THREAD else {}
        return {
            **common,
            **owner,
            "type": self.kind,
            "guild_id": str(self.guild_id),
            "name": self.name,
            "position": 0,
            "permission_overwrites": [],
            "nsfw": False,
            "topic": None,
            "parent_id": str(self.parent_id) if self.parent_id else None,
            "rate_limit_per_user": self.slow_mode,
            "permissions": str(EVERYTHING),
            **thread,
        }


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild, which people know as a server."""

    id: int
    name: str
    channels: tuple[Channel, ...]

    def json(self, bot: User) -> Json:
        """As GUILD_CREATE has it."""
        own_role = {**role_json(BOT_ROLE_ID, bot.name, 0), "position": 1}
        own_role |= {"managed": True, "tags": {"bot_id": str(bot.id)}}
        empty: Json = {
            key: []
            for key in (
                *("emojis", "stickers", "features", "threads", "presences", "voice_states"),
                *("stage_instances", "guild_scheduled_events", "soundboard_sounds"),
            )
        }
        return {
            **empty,
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "discovery_splash": None,
            "description": None,
            "banner": None,
            "owner_id": str(OWNER_ID),
            "afk_channel_id": None,
            "afk_timeout": 300,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "premium_progress_bar_enabled": False,
            "preferred_locale": "en-US",
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "public_updates_channel_id": None,
            "safety_alerts_channel_id": None,
            "vanity_url_code": None,
            "application_id": None,
            "roles": [role_json(self.id, "@everyone", ORDINARY), own_role],
            "channels": [channel.json() for channel in self.channels],
            "members": [member_json(bot)],
            "member_count": 2,
            "large": False,
            "unavailable": False,
            "joined_at": "2026-01-01T00:00:00.000000+00:00",
        }


def role_json(role_id: int, name: str, permissions: int) -> Json:
    """A role of a guild."""
    return {
        "id": str(role_id),
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": 0,
        "permissions": str(permissions),
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def member_json(user: User) -> Json:
    """A user as a member of the guild."""
    return {
        "user": user.json(),
        "nick": None,
        "avatar": None,
        "roles": [str(role) for role in user.roles],
        "joined_at": "2026-01-01T00:00:00.000000+00:00",
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "permissions": str(user.permissions),
        "communication_disabled_until": None,
    }


BOT = User(BOT_ID, "DiscordianAI", bot=True, permissions=EVERYTHING)
GUILD_ID = 1_300_000_000_000_000_100
SUPPORT = Channel(GUILD_ID + 50, "Support", GUILD_ID, CATEGORY)
CHANNELS = (
    Channel(GUILD_ID + 1, "general", GUILD_ID),
    Channel(GUILD_ID + 2, "help", GUILD_ID, parent_id=SUPPORT.id),
    Channel(GUILD_ID + 3, "random", GUILD_ID),
)
GUILD = Guild(GUILD_ID, "The Sandbox", (SUPPORT, *CHANNELS))


def person(number: int = 0) -> User:
    """A user; each number is another one."""
    return User(1_300_000_000_000_010_000 + number, f"Person{number}")


def moderator() -> User:
    """A user with every permission in the guild."""
    return User(OWNER_ID, "Owner", permissions=EVERYTHING)


def direct_messages(user: User) -> Channel:
    """The direct message channel of this user and the bot."""
    return Channel(user.id - 1, user.name, None)
