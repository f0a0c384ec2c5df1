"""All that is stored of a person, as JSON Lines."""

from collections.abc import Mapping
from typing import LiteralString

from discordianai.conversations.engine import json_lines
from discordianai.conversations.engine.json_lines import BESIDE_TURNS
from discordianai.conversations.postgres import turns_table
from discordianai.conversations.postgres.batches import Batch

_SOURCES: Mapping[str, tuple[LiteralString, LiteralString]] = {
    "setting": ("channels WHERE guild_id = 0 AND person_id = %(person_id)s", "channel_id"),
    "open question": ("questions WHERE state < 2 AND person_id = %(person_id)s", "interaction_id"),
    "participation": (
        "(SELECT DISTINCT person_id, guild_id, conversation_person_id, conversation_person_id = 0 AS shared,"
        " conversation_channel_id AS channel_id, private"
        " FROM turns WHERE person_id = %(person_id)s) AS parts",
        "conversation_person_id, channel_id, private, guild_id",
    ),
    "usage": (
        "usage WHERE person_id = %(person_id)s",
        'day COLLATE "C", guild_id, provider COLLATE "C", model COLLATE "C"',
    ),
    "forgotten": ("forgotten WHERE person_id = %(person_id)s", "day"),
}
"""Where the lines of each kind come from, and their order."""


def of_person(person_id: int, most_bytes: int) -> tuple[Batch, ...]:
    """Reads that give the lines, one after the other. Turns come first; see `turns_table.of_person`."""
    return turns_table.of_person(person_id, most_bytes), *beside_turns(person_id)


def beside_turns(person_id: int) -> tuple[Batch, ...]:
    """The same without turns."""
    return tuple(_lines(kind, columns, person_id) for kind, columns in BESIDE_TURNS.items())


def _lines(kind: str, columns: tuple[str, ...], person_id: int) -> Batch:
    source, order = _SOURCES[kind]
    statement = f"SELECT {', '.join(columns)} FROM {source} ORDER BY {order}"  # our own names
    return Batch(
        ((statement, {"person_id": person_id}),),
        lambda rows: [json_lines.line(kind, dict(zip(columns, row, strict=True))) for row in rows],
    )
