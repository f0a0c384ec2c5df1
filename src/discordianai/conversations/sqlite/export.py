"""What is stored as JSON Lines: one turn a line, and of a person everything else.

Each conversation is read in a transaction of its own, so that a slow reader of the lines does not keep the
log from being emptied, and what is forgotten meanwhile is left out.
"""

import sqlite3
from collections.abc import Iterator, Mapping

from discordianai.conversations.engine import json_lines
from discordianai.conversations.engine.json_lines import BESIDE_TURNS
from discordianai.conversations.operator_port import Report, Selection
from discordianai.conversations.sqlite import removal
from discordianai.conversations.sqlite.turns_table import range_of

PAGE = 500
"""Conversations that are looked up together."""

_TURNS = (
    "SELECT conversations.person_id = 0 AS shared, private, guild_id, channel_id, turns.person_id, role, at,"
    " text, {attachments} AS attachments FROM turns JOIN conversations ON conversations.id = ?"
    " WHERE turns.id BETWEEN ? AND ? AND {condition} ORDER BY turns.id"
)

_PAGE = (
    "SELECT id, person_id, channel_id, private FROM conversations"
    " WHERE {condition} AND (person_id, channel_id, private) > (?, ?, ?)"
    " ORDER BY person_id, channel_id, private LIMIT ?"
)
"""By a unique index: the next conversations in the order that every engine has."""

_SOURCES: Mapping[str, tuple[str, str]] = {
    "setting": ("channels WHERE guild_id = 0 AND person_id = ?", "channel_id"),
    "open question": ("questions WHERE state < 2 AND person_id = ?", "interaction_id"),
    "participation": (
        "(SELECT participants.person_id, guild_id, conversations.person_id AS whose,"
        " conversations.person_id = 0 AS shared, channel_id, private"
        " FROM participants JOIN conversations ON id = conversation_id"
        " WHERE participants.person_id = ?)",
        "whose, channel_id, private, guild_id",
    ),
    "usage": ("usage WHERE person_id = ?", "day, guild_id, provider, model"),
    "forgotten": ("forgotten WHERE person_id = ?", "day"),
}
"""Where the lines of each kind come from, and their order."""


def exported(connection: sqlite3.Connection, selection: Selection, report: Report) -> Iterator[str]:
    """The lines, without their ends. Of a person, all else that is stored follows the turns."""
    condition, values = removal.condition(selection)
    attachments = "attachments" if "attachments" in _columns(connection, "turns") else "''"
    select = _TURNS.format(condition=condition, attachments=attachments)
    for number, total, conversation in _conversations(connection, selection):
        report(number, total)
        yield from _lines(connection, "turn", select, (conversation, *range_of(conversation), *values))
    if selection.person_id is not None:
        for kind, columns in BESIDE_TURNS.items():
            yield from _beside(connection, kind, columns, selection.person_id)


def _conversations(connection: sqlite3.Connection, selection: Selection) -> Iterator[tuple[int, int, int]]:
    """The conversations that may hold turns of a selection, in the order of their keys: each as its place
    among them, how many there are, and its id."""
    condition, values = _condition(selection)
    count = f"SELECT count(*) FROM conversations WHERE {condition}"  # noqa: S608  # our own clause
    (total,) = connection.execute(count, values).fetchone()
    last = (-1, -1, -1)
    number = 0
    while page := connection.execute(_PAGE.format(condition=condition), (*values, *last, PAGE)).fetchall():
        for conversation, *_ in page:
            number += 1
            yield number, total, conversation
        last = page[-1][1:]


def _condition(selection: Selection) -> tuple[str, tuple[int, ...]]:
    if selection.person_id is not None:
        of_person = "id IN (SELECT conversation_id FROM participants WHERE participants.person_id = ?)"
        return of_person, (selection.person_id,)
    if selection.guild_id is not None:
        # Not IN: each page would gather all that the server has.
        of_guild = (
            "EXISTS (SELECT 1 FROM participants WHERE conversation_id = conversations.id AND guild_id = ?)"
        )
        return of_guild, (selection.guild_id,)
    if selection.channel_id is not None:
        return "channel_id = ?", (selection.channel_id,)
    return "true", ()


def _beside(
    connection: sqlite3.Connection, kind: str, columns: tuple[str, ...], person_id: int
) -> Iterator[str]:
    source, order = _SOURCES[kind]
    table = source.split()[0]
    if kind != "participation":  # older versions lack some
        present = _columns(connection, table)
        columns = tuple(column for column in columns if column in present)
    if "person_id" in columns:
        select = f"SELECT {', '.join(columns)} FROM {source} ORDER BY {order}"  # noqa: S608  # our own names
        yield from _lines(connection, kind, select, (person_id,))


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}


def _lines(
    connection: sqlite3.Connection, kind: str, select: str, values: tuple[float, ...]
) -> Iterator[str]:
    rows = connection.execute(select, values)
    columns = [column for column, *_ in rows.description]
    for row in rows.fetchall():
        yield json_lines.line(kind, dict(zip(columns, row, strict=True)))
