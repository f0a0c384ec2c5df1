"""The SQL of channels and servers."""

from typing import LiteralString

from discordianai.conversations.postgres.batches import Batch
from discordianai.conversations.store import ChannelSettings

COUNT_CHANGE: LiteralString = "UPDATE bookkeeping SET changes = changes + 1"
"""What processes keep of the channels in memory is out of date."""


def channels() -> Batch:
    """The settings by channel."""
    return Batch(
        (("SELECT channel_id, persona, model FROM channels", {}),),
        lambda rows: {number: ChannelSettings(persona, model) for number, persona, model in rows},
    )


def set_channel(channel_id: int, guild_id: int | None, person_id: int, settings: ChannelSettings) -> Batch:
    """Store the settings of a channel; remove them where they are empty."""
    values = {
        "channel_id": channel_id,
        "guild_id": guild_id or 0,
        "person_id": 0 if guild_id else person_id,
        "persona": settings.persona,
        "model": settings.model,
    }
    if not settings:
        return Batch((("DELETE FROM channels WHERE channel_id = %(channel_id)s", values), (COUNT_CHANGE, {})))
    statement: LiteralString = """
        INSERT INTO channels (channel_id, guild_id, person_id, persona, model)
        VALUES (%(channel_id)s, %(guild_id)s, %(person_id)s, %(persona)s, %(model)s)
        ON CONFLICT (channel_id) DO UPDATE SET guild_id = excluded.guild_id,
            person_id = excluded.person_id, persona = excluded.persona, model = excluded.model
    """
    return Batch(((statement, values), (COUNT_CHANGE, {})))


def joined(guild_id: int) -> Batch:
    """The bot is in this server."""
    return Batch(
        (
            (
                "INSERT INTO guilds (guild_id) VALUES (%(guild_id)s)"
                " ON CONFLICT (guild_id) DO UPDATE SET left_at = NULL",
                {"guild_id": guild_id},
            ),
        )
    )


def left(guild_id: int, now: float) -> Batch:
    """The bot has left this server; the first time counts."""
    return Batch(
        (
            (
                "INSERT INTO guilds (guild_id, left_at) VALUES (%(guild_id)s, %(now)s)"
                " ON CONFLICT (guild_id) DO UPDATE SET left_at = coalesce(guilds.left_at, excluded.left_at)",
                {"guild_id": guild_id, "now": now},
            ),
        )
    )


def present() -> Batch:
    """The servers that the bot is in."""
    return Batch(
        (("SELECT guild_id FROM guilds WHERE left_at IS NULL", {}),),
        lambda rows: frozenset(number for (number,) in rows),
    )


def left_before(at: float) -> Batch:
    """The servers that it left before that time."""
    return Batch(
        (("SELECT guild_id FROM guilds WHERE left_at < %(at)s ORDER BY guild_id", {"at": at}),),
        lambda rows: tuple(number for (number,) in rows),
    )


FORGET_PERSON: LiteralString = "DELETE FROM channels WHERE guild_id = 0 AND person_id = %(person_id)s"

FORGET_PEOPLE: LiteralString = "DELETE FROM channels WHERE guild_id = 0"

FORGET_GUILD: LiteralString = "DELETE FROM channels WHERE guild_id = %(guild_id)s"

FORGET_LEFT_GUILD: LiteralString = "DELETE FROM guilds WHERE guild_id = %(guild_id)s AND left_at IS NOT NULL"
