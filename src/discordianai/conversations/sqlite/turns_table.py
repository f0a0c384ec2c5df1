"""The SQL of conversations and turns. Each function runs in a transaction of its caller's."""

import sqlite3
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from discordianai.conversations import attachment_json, packing
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine.turn_ids import parts, turn_id
from discordianai.conversations.pending_questions import QuestionAndAnswer, StoredQuestion, TurnId
from discordianai.records import Role, Turn
from discordianai.system_clock import EARLIEST, IMPOSSIBLE_AGE
from discordianai.text import well_formed

NUMBER_BITS = 32
"""Bits of a turn's id that number it within its conversation; see `migrations`."""

STEP, MAX_CONVERSATIONS = 200, 200
"""Rows removed, and conversations looked at for them, in one transaction: a few milliseconds."""

_FIND = "SELECT id FROM conversations WHERE person_id = ? AND channel_id = ? AND private = ?"
_OLD = "SELECT id FROM turns WHERE at < ? ORDER BY at LIMIT ?"
_EXPIRED = "SELECT id FROM turns WHERE at < ? AND (at >= ? OR at < ?) ORDER BY at LIMIT ?"


class CorruptTurns(sqlite3.DatabaseError):
    """A row that no version writes: SQLite checks the structure of a page, not its content."""

    def __init__(self) -> None:
        super().__init__("a stored turn is unreadable")
        self.sqlite_errorcode = sqlite3.SQLITE_CORRUPT


@dataclass(frozen=True, slots=True)
class Removed:
    """What one step removed, and whether there may be more."""

    turns: int
    more: bool


def read(connection: sqlite3.Connection, key: ConversationKey, limit: int) -> bytes:
    """The newest `limit` turns of a conversation, packed, oldest first. Raises `CorruptTurns`."""
    conversation = _find(connection, key)
    if conversation is None:
        return b""
    rows = connection.execute(
        "SELECT role, text, at, attachments FROM turns WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
        (*range_of(conversation), limit),
    ).fetchall()
    try:
        return packing.pack(
            Turn(Role(role), text, at, attachments=attachment_json.load(files))
            for role, text, at, files in reversed(rows)
        )
    except (ValueError, TypeError, AttributeError, struct.error):
        raise CorruptTurns from None  # the chained text would quote it


def append(connection: sqlite3.Connection, exchange: QuestionAndAnswer, max_turns: int) -> TurnId | None:
    """Add the turns, and remove those beyond the limit; returns what identifies the first one added."""
    if not (turns := exchange.turns[-max_turns:] if max_turns else ()):
        return None
    conversation = _find(connection, exchange.key)
    if conversation is None:
        conversation = _create(connection, exchange.key)
    first, last = range_of(conversation)
    newest = connection.execute(
        "SELECT id FROM turns WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1", (first, last)
    ).fetchone()
    start = newest[0] + 1 if newest else first
    guild = exchange.guild_id or 0
    connection.executemany(
        "INSERT INTO turns (id, person_id, guild_id, role, at, text, attachments)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                number,
                exchange.person_id,
                guild,
                turn.role.value,
                turn.at,
                well_formed(turn.text),
                attachment_json.dump(turn.attachments),
            )
            for number, turn in enumerate(turns, start)
        ],
    )
    connection.execute(
        "DELETE FROM turns WHERE id BETWEEN ? AND ?", (first, start + len(turns) - 1 - max_turns)
    )
    connection.execute(
        "INSERT OR IGNORE INTO participants VALUES (?, ?, ?)", (exchange.person_id, guild, conversation)
    )
    return turn_id(start, turns[0].at)


def said(connection: sqlite3.Connection, turn: TurnId) -> StoredQuestion | None:
    """What a person said in that turn; None where it is not there. Raises `CorruptTurns`."""
    identified = parts(turn)
    if identified is None:
        return None
    row = connection.execute(
        "SELECT text, turns.person_id, guild_id, conversations.person_id, channel_id, private, attachments"
        " FROM turns JOIN conversations ON conversations.id = turns.id >> ?"
        " WHERE turns.id = ? AND role = ? AND CAST(at AS INTEGER) = ?",
        (NUMBER_BITS, identified[0], Role.USER.value, identified[1]),
    ).fetchone()
    if row is None:
        return None
    text, person_id, guild_id, whose, channel_id, private, files = row
    key = ConversationKey(channel_id, whose, bool(private))
    try:
        return StoredQuestion(text, person_id, guild_id or None, key, attachment_json.load(files))
    except (ValueError, TypeError):
        raise CorruptTurns from None


def remove(connection: sqlite3.Connection, key: ConversationKey) -> int:
    """Remove a conversation; how many turns it had."""
    conversation = _find(connection, key)
    if conversation is None:
        return 0
    turns = connection.execute("DELETE FROM turns WHERE id BETWEEN ? AND ?", range_of(conversation)).rowcount
    _remove_empty(connection, [conversation])
    return turns


def remove_of_person(connection: sqlite3.Connection, person_id: int) -> Removed:
    """Remove some turns of a person, and the participation where the last ones are removed."""
    return _remove_of(connection, "person_id", person_id)


def remove_of_guild(connection: sqlite3.Connection, guild_id: int) -> Removed:
    """Remove some turns that were said in a server."""
    return _remove_of(connection, "guild_id", guild_id)


def remove_of_channel(
    connection: sqlite3.Connection, channel_id: int | None, conversations: deque[int]
) -> Removed:
    """Remove some turns of these conversations, and take those out of the queue that are done.

    One that is not of that channel any more is left alone: the number of a removed conversation can be given
    to another. None is any channel.
    """
    turns = rows = looked_at = 0
    while conversations and rows < STEP and looked_at < MAX_CONVERSATIONS:
        conversation = conversations[0]
        looked_at += 1
        row = connection.execute(
            "SELECT channel_id FROM conversations WHERE id = ?", (conversation,)
        ).fetchone()
        if row is not None and channel_id in {None, row[0]}:
            removed, others = _remove_in(connection, conversation, STEP - rows)
            turns, rows = turns + removed, rows + removed + others
        if rows < STEP:
            conversations.popleft()
    return Removed(turns, more=bool(conversations))


def remove_older(connection: sqlite3.Connection, than: float) -> int:
    """Remove up to `STEP` turns older than that many seconds since the epoch; how many."""
    return _remove(connection, _OLD, than)


def remove_expired(connection: sqlite3.Connection, now: float, ttl: float) -> int:
    """Remove up to `STEP` turns older than `ttl` seconds; how many.

    Not those whose age is impossible: a wrong clock would delete everything. Those that were stored by one in
    the past, of 1970 for example, have no other end.
    """
    return _remove(connection, _EXPIRED, now - ttl, now - ttl - IMPOSSIBLE_AGE, EARLIEST)


def count_conversations(connection: sqlite3.Connection) -> int:
    """How many conversations there are."""
    (conversations,) = connection.execute("SELECT count(*) FROM conversations").fetchone()
    return int(conversations)


def range_of(conversation: int) -> tuple[int, int]:
    """The ids that a conversation's turns can have."""
    first = conversation << NUMBER_BITS
    return first, first | (1 << NUMBER_BITS) - 1


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


def _remove(connection: sqlite3.Connection, select: str, *values: float) -> int:
    """Remove the selected turns, and the conversations that are empty then."""
    ids = [row[0] for row in connection.execute(select, (*values, STEP))]
    connection.executemany("DELETE FROM turns WHERE id = ?", [(number,) for number in ids])
    _remove_empty(connection, {number >> NUMBER_BITS for number in ids})
    return len(ids)


def _remove_empty(connection: sqlite3.Connection, conversations: Iterable[int]) -> None:
    empty = [
        (conversation,)
        for conversation in conversations
        if not connection.execute(
            "SELECT 1 FROM turns WHERE id BETWEEN ? AND ? LIMIT 1", range_of(conversation)
        ).fetchone()
    ]
    connection.executemany("DELETE FROM conversations WHERE id = ?", empty)
    connection.executemany("DELETE FROM participants WHERE conversation_id = ?", empty)


def _remove_of(connection: sqlite3.Connection, column: str, value: int) -> Removed:
    """Go through the conversations by their participants, which are removed on the way: no step looks again
    at what a former one has done."""
    turns = rows = looked_at = 0
    while rows < STEP and looked_at < MAX_CONVERSATIONS:
        row = connection.execute(
            f"SELECT conversation_id FROM participants WHERE {column} = ? LIMIT 1",  # noqa: S608  # our own name
            (value,),
        ).fetchone()
        if row is None:
            return Removed(turns, more=False)
        looked_at += 1
        removed, others = _remove_in(connection, row[0], STEP - rows, f"{column} = ?", value)
        turns, rows = turns + removed, rows + removed + others
    return Removed(turns, more=True)


def _remove_in(
    connection: sqlite3.Connection, conversation: int, most: int, condition: str = "true", *values: int
) -> tuple[int, int]:
    """Remove up to `most` rows of a conversation under that condition: its turns, and after the last one its
    participants; how many of either. The conversation is removed, too, when it is empty."""
    turns = connection.execute(
        "DELETE FROM turns WHERE id IN"  # noqa: S608  # our own clauses
        f" (SELECT id FROM turns WHERE id BETWEEN ? AND ? AND {condition} LIMIT ?)",
        (*range_of(conversation), *values, most),
    ).rowcount
    if turns == most:
        return turns, 0
    participants = connection.execute(
        "DELETE FROM participants WHERE (person_id, guild_id, conversation_id) IN"  # noqa: S608  # our own clauses
        " (SELECT person_id, guild_id, conversation_id FROM participants"
        f" WHERE conversation_id = ? AND {condition} LIMIT ?)",
        (conversation, *values, most - turns),
    ).rowcount
    left = connection.execute(
        f"SELECT 1 FROM participants WHERE conversation_id = ? AND {condition} LIMIT 1",  # noqa: S608  # our own clauses
        (conversation, *values),
    ).fetchone()
    if left is None:  # no further step will come here
        _remove_empty(connection, [conversation])
    return turns, participants
