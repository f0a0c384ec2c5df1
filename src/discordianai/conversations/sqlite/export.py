"""What is stored as JSON Lines: one turn a line, and of a person everything else.

Each conversation is read in a transaction of its own, so that a slow reader of the lines does not keep the
log from being emptied, and what is forgotten meanwhile is left out.
"""

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime

from discordianai.conversations.sqlite.operator_access import Report
from discordianai.conversations.sqlite.removal import Selection
from discordianai.conversations.sqlite.turns_table import range_of
from discordianai.records import Attachment

_LINE_ENDS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}
"""Characters that JSON allows unescaped, and that many readers take for the end of a line."""


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

_NOT_EXPORTED = {"token"}
"""It allows its holder to write as the bot, and says nothing about the person."""

_JSON = {"attachments", "more"}
_TRUTHS = {"private", "shared"}
_FILE = [field.name for field in fields(Attachment)]


def exported(connection: sqlite3.Connection, selection: Selection, report: Report) -> Iterator[str]:
    """The lines, without their ends; `kind` tells what each is. Ids are texts, as in Discord's own JSON; null
    where there is none: of a server in a direct message, of a channel or a person where a conversation spans
    all of them. Of a person, all else that is stored follows the turns."""
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


def newest_lines(lines: Iterable[str], most_bytes: int) -> tuple[bytes, bool]:
    """The last of the lines that fit, each with its end, and whether that is all of them."""
    kept, size, complete = deque[bytes](), 0, True
    for line in lines:
        kept.append(f"{line}\n".encode("utf-8", "replace"))
        size += len(kept[-1])
        while size > most_bytes:
            size -= len(kept.popleft())
            complete = False
    return b"".join(kept), complete


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(name == column for _, name, *_ in connection.execute(f"PRAGMA table_info({table})"))


def _lines(
    connection: sqlite3.Connection, kind: str, select: str, values: tuple[float, ...]
) -> Iterator[str]:
    rows = connection.execute(select, values)
    columns = [column for column, *_ in rows.description]
    for row in rows.fetchall():
        told = {name: _value(name, value) for name, value in zip(columns, row, strict=True)}
        shown = {name: value for name, value in told.items() if name not in _NOT_EXPORTED}
        line = json.dumps({"kind": kind, **shown}, ensure_ascii=False)
        yield line if line.isascii() else line.translate(_LINE_ENDS)


def _value(column: str, value: object) -> object:
    """As people and programs read it. Data garbled by a disk fault is exported as it is."""
    if column.endswith("_id"):
        return str(value) if value else None
    if column in _TRUTHS:
        return bool(value)
    if column in _JSON and isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value or "[]")
        if column == "attachments" and isinstance(value, list):
            return [dict(zip(_FILE, file, strict=False)) for file in value if isinstance(file, list)]
    if (column == "at" or column.endswith("_at")) and isinstance(value, float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value
