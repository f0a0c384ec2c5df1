"""Stored turns as JSON Lines, one turn a line.

Each conversation is read in a transaction of its own, so that a slow reader of the lines does not keep the
log from being emptied, and what is forgotten meanwhile is left out.
"""

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from discordianai.conversations.sqlite.operator_access import Report
from discordianai.conversations.sqlite.removal import Selection
from discordianai.conversations.sqlite.turns_table import range_of

_LINE_ENDS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}
"""Characters that JSON allows unescaped, and that many readers take for the end of a line."""


def exported(connection: sqlite3.Connection, selection: Selection, report: Report) -> Iterator[str]:
    """The lines, without their ends. Ids are texts, as in Discord's own JSON; null where there is none:
    of a server in a direct message, of a channel or a person where a conversation spans all of them."""
    condition, values = selection.condition
    select = (
        "SELECT channel_id, conversations.person_id, private, turns.person_id, guild_id, role, at, text"  # noqa: S608  # our own clauses
        " FROM turns JOIN conversations ON conversations.id = ?"
        f" WHERE turns.id BETWEEN ? AND ? AND {condition} ORDER BY turns.id"
    )
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM conversations").fetchone()
    for conversation in selection.conversations(connection):
        report(conversation, last)
        for row in connection.execute(select, (conversation, *range_of(conversation), *values)).fetchall():
            yield _line(conversation, *row)


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


def _line(
    conversation: int,
    channel_id: int,
    owner_id: int,
    private: int,
    person_id: int,
    guild_id: int,
    role: str,
    at: float,
    text: str,
) -> str:
    line = json.dumps(
        {
            "conversation": conversation,
            "shared": owner_id == 0,
            "private": bool(private),
            "guild_id": str(guild_id) if guild_id else None,
            "channel_id": str(channel_id) if channel_id else None,
            "person_id": str(person_id) if person_id else None,
            "role": role,
            "at": datetime.fromtimestamp(at, UTC).isoformat(),
            "text": text,
        },
        ensure_ascii=False,
    )
    return line if line.isascii() else line.translate(_LINE_ENDS)
