"""The SQL of channels and servers. Each function runs in a transaction of its caller's."""

import sqlite3

from discordianai.conversations.store import ChannelSettings
from discordianai.text import well_formed


def channels(connection: sqlite3.Connection) -> dict[int, ChannelSettings]:
    """The settings by channel."""
    rows = connection.execute("SELECT channel_id, persona, model FROM channels")
    return {channel_id: ChannelSettings(persona, model) for channel_id, persona, model in rows}


def set_channel(
    connection: sqlite3.Connection,
    channel_id: int,
    guild_id: int | None,
    person_id: int,
    settings: ChannelSettings,
) -> None:
    """Store the settings of a channel; remove them where they are empty."""
    if not settings:
        connection.execute("DELETE FROM channels WHERE channel_id = ?", (channel_id,))
        return
    connection.execute(
        "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?)",
        (
            channel_id,
            guild_id or 0,
            well_formed(settings.persona),
            settings.model,
            0 if guild_id else person_id,
        ),
    )


def joined(connection: sqlite3.Connection, guild_id: int) -> None:
    """The bot is in this server."""
    connection.execute("INSERT OR REPLACE INTO guilds VALUES (?, NULL)", (guild_id,))


def left(connection: sqlite3.Connection, guild_id: int, now: float) -> None:
    """The bot has left this server; the first time counts."""
    connection.execute(
        "INSERT INTO guilds VALUES (?, ?) ON CONFLICT DO UPDATE SET left_at = ifnull(left_at, ?)",
        (guild_id, now, now),
    )


def present(connection: sqlite3.Connection) -> frozenset[int]:
    """The servers that the bot is in."""
    return frozenset(
        row[0] for row in connection.execute("SELECT guild_id FROM guilds WHERE left_at IS NULL")
    )


def left_before(connection: sqlite3.Connection, at: float) -> tuple[int, ...]:
    """The servers that it left before that time."""
    rows = connection.execute("SELECT guild_id FROM guilds WHERE left_at < ? ORDER BY guild_id", (at,))
    return tuple(row[0] for row in rows)


def forget_person(connection: sqlite3.Connection, person_id: int) -> None:
    """Remove the settings of that person's direct messages."""
    connection.execute("DELETE FROM channels WHERE guild_id = 0 AND person_id = ?", (person_id,))


def forget_people(connection: sqlite3.Connection) -> None:
    """Remove the settings of all direct messages."""
    connection.execute("DELETE FROM channels WHERE guild_id = 0")


def forget_guild(connection: sqlite3.Connection, guild_id: int) -> None:
    """Remove the settings of that server's channels, and the server unless the bot is in it."""
    connection.execute("DELETE FROM channels WHERE guild_id = ?", (guild_id,))
    connection.execute("DELETE FROM guilds WHERE guild_id = ? AND left_at IS NOT NULL", (guild_id,))
