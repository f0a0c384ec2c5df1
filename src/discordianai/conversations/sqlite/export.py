"""What is stored as JSON Lines: one turn a line, and of a person everything else.

Each conversation is read in a transaction of its own, so that a slow reader of the lines does not keep the
log from being emptied, and what is forgotten meanwhile is left out.
"""

import sqlite3
from collections.abc import Iterator

from discordianai.conversations.engine import json_lines
from discordianai.conversations.sqlite.operator_access import Report
from discordianai.conversations.sqlite.removal import Selection
from discordianai.conversations.sqlite.turns_table import range_of

_TURNS = (
    "SELECT conversations.id AS conversation, conversations.person_id = 0 AS shared, private, guild_id,"
    " channel_id, turns.person_id, role, at, text, {attachments} AS attachments"
    " FROM turns JOIN conversations ON conversations.id = ?"
    " WHERE turns.id BETWEEN ? AND ? AND {condition} ORDER BY turns.id"
)
_BESIDE = {
    "setting": "SELECT * FROM channels WHERE guild_id = 0 AND person_id = ?",
    "open question": "SELECT * FROM questions WHERE state < 2 AND person_id = ?",
    "participation": "SELECT participants.*, channel_id, private FROM participants"
    " JOIN conversations ON id = conversation_id WHERE participants.person_id = ?",
    "usage": "SELECT * FROM usage WHERE person_id = ?",
    "forgotten": "SELECT * FROM forgotten WHERE person_id = ?",
}
"""What is stored of a person beside turns, by the kind of the line."""


def exported(connection: sqlite3.Connection, selection: Selection, report: Report) -> Iterator[str]:
    """The lines, without their ends. Of a person, all else that is stored follows the turns."""
    condition, values = selection.condition
    attachments = "attachments" if _has(connection, "turns", "attachments") else "''"
    select = _TURNS.format(condition=condition, attachments=attachments)
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM conversations").fetchone()
    for conversation in selection.conversations(connection):
        report(conversation, last)
        yield from _lines(connection, "turn", select, (conversation, *range_of(conversation), *values))
    if selection.person_id is not None:
        for kind, select in _BESIDE.items():
            table = select.partition(" FROM ")[2].split()[0]
            if _has(connection, table, "person_id"):  # older versions lack some
                yield from _lines(connection, kind, select, (selection.person_id,))


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(name == column for _, name, *_ in connection.execute(f"PRAGMA table_info({table})"))


def _lines(
    connection: sqlite3.Connection, kind: str, select: str, values: tuple[float, ...]
) -> Iterator[str]:
    rows = connection.execute(select, values)
    columns = [column for column, *_ in rows.description]
    for row in rows.fetchall():
        yield json_lines.line(kind, dict(zip(columns, row, strict=True)))
