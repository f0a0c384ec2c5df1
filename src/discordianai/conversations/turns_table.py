"""The SQL of conversations and turns. Each function runs in a transaction of its caller's."""

import sqlite3
from collections.abc import Iterable

from discordianai.conversations import packing
from discordianai.conversations.keys import ConversationKey
from discordianai.conversations.pending import Exchange
from discordianai.model import Role, Turn

NUMBER_BITS = 32
"""Of a turn's id; see `migrations`."""

STEP = 200
"""Turns removed in one transaction: a few milliseconds."""

_FIND = "SELECT id FROM conversations WHERE person_id = ? AND channel_id = ? AND private = ?"
_OF_PERSON = """
    SELECT turns.id FROM participants CROSS JOIN turns
        ON turns.id BETWEEN conversation_id << 32 AND (conversation_id + 1 << 32) - 1
        AND turns.person_id = participants.person_id AND turns.guild_id = participants.guild_id
    WHERE participants.person_id = ? LIMIT ?
"""
_OF_GUILD = _OF_PERSON.replace("WHERE participants.person_id", "WHERE participants.guild_id")
_OF_CHANNEL = """
    SELECT turns.id FROM conversations CROSS JOIN turns
        ON turns.id BETWEEN conversations.id << 32 AND (conversations.id + 1 << 32) - 1
    WHERE conversations.channel_id = ? LIMIT ?
"""
_OLD = "SELECT id FROM turns WHERE at < ? ORDER BY at LIMIT ?"


def read(connection: sqlite3.Connection, key: ConversationKey, limit: int) -> bytes:
    """The newest `limit` turns of a conversation, packed, oldest first."""
    conversation = _find(connection, key)
    if conversation is None:
        return b""
    rows = connection.execute(
        "SELECT role, text, at FROM turns WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
        (*_range(conversation), limit),
    ).fetchall()
    return packing.pack(Turn(Role(role), text, at) for role, text, at in reversed(rows))


def append(connection: sqlite3.Connection, exchange: Exchange, max_turns: int) -> None:
    """Add the turns, and remove what has rolled out."""
    if not (turns := exchange.turns[-max_turns:] if max_turns else ()):
        return
    conversation = _find(connection, exchange.key)
    if conversation is None:
        conversation = _create(connection, exchange.key)
    first, last = _range(conversation)
    newest = connection.execute(
        "SELECT id FROM turns WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1", (first, last)
    ).fetchone()
    start = newest[0] + 1 if newest else first
    guild = exchange.guild_id or 0
    connection.executemany(
        "INSERT INTO turns (id, person_id, guild_id, role, at, text) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, exchange.person_id, guild, turn.role.value, turn.at, clean(turn.text))
            for number, turn in enumerate(turns, start)
        ],
    )
    connection.execute(
        "DELETE FROM turns WHERE id BETWEEN ? AND ?", (first, start + len(turns) - 1 - max_turns)
    )
    connection.execute(
        "INSERT OR IGNORE INTO participants VALUES (?, ?, ?)", (exchange.person_id, guild, conversation)
    )


def remove(connection: sqlite3.Connection, key: ConversationKey) -> int:
    """Remove a conversation; how many turns it had."""
    conversation = _find(connection, key)
    if conversation is None:
        return 0
    turns = connection.execute("DELETE FROM turns WHERE id BETWEEN ? AND ?", _range(conversation)).rowcount
    _remove_empty(connection, [conversation])
    return turns


def remove_of_person(connection: sqlite3.Connection, person_id: int) -> int:
    """Remove up to `STEP` turns of a person; how many. With the last ones go the traces of the person."""
    removed = _remove(connection, _OF_PERSON, person_id)
    if removed < STEP:
        _leave(connection, "person_id", person_id)
    return removed


def remove_of_guild(connection: sqlite3.Connection, guild_id: int) -> int:
    """Remove up to `STEP` turns that were said in a server; how many."""
    removed = _remove(connection, _OF_GUILD, guild_id)
    if removed < STEP:
        _leave(connection, "guild_id", guild_id)
    return removed


def remove_of_channel(connection: sqlite3.Connection, channel_id: int) -> int:
    """Remove up to `STEP` turns that were said in a channel; how many."""
    return _remove(connection, _OF_CHANNEL, channel_id)


def remove_older(connection: sqlite3.Connection, than: float) -> int:
    """Remove up to `STEP` turns older than that many seconds since the epoch; how many."""
    return _remove(connection, _OLD, than)


def clean(text: str) -> str:
    """`text` without the half characters that JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _find(connection: sqlite3.Connection, key: ConversationKey) -> int | None:
    row = connection.execute(_FIND, (key.person_id, key.channel_id, key.private)).fetchone()
    return row[0] if row else None


def _create(connection: sqlite3.Connection, key: ConversationKey) -> int:
    cursor = connection.execute(
        "INSERT INTO conversations (person_id, channel_id, private) VALUES (?, ?, ?)",
        (key.person_id, key.channel_id, key.private),
    )
    assert cursor.lastrowid is not None  # noqa: S101  # an INSERT has one
    return cursor.lastrowid


def _range(conversation: int) -> tuple[int, int]:
    """The ids that a conversation's turns can have."""
    first = conversation << NUMBER_BITS
    return first, first | (1 << NUMBER_BITS) - 1


def _remove(connection: sqlite3.Connection, select: str, value: float) -> int:
    """Remove the selected turns, and the conversations that are empty then."""
    ids = [row[0] for row in connection.execute(select, (value, STEP))]
    connection.executemany("DELETE FROM turns WHERE id = ?", [(number,) for number in ids])
    _remove_empty(connection, {number >> NUMBER_BITS for number in ids})
    return len(ids)


def _remove_empty(connection: sqlite3.Connection, conversations: Iterable[int]) -> None:
    empty = [
        (conversation,)
        for conversation in conversations
        if not connection.execute(
            "SELECT 1 FROM turns WHERE id BETWEEN ? AND ? LIMIT 1", _range(conversation)
        ).fetchone()
    ]
    connection.executemany("DELETE FROM conversations WHERE id = ?", empty)
    connection.executemany("DELETE FROM participants WHERE conversation_id = ?", empty)


def _leave(connection: sqlite3.Connection, column: str, value: int) -> None:
    """Nothing of a person, or of a server, is left in the conversations it was part of."""
    connection.execute(f"DELETE FROM participants WHERE {column} = ?", (value,))  # noqa: S608  # our own name
