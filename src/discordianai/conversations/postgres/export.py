"""All that is stored of a person, as JSON Lines."""

from typing import LiteralString

from discordianai.conversations.engine import json_lines
from discordianai.conversations.engine.question_rows import COLUMNS
from discordianai.conversations.postgres import turns_table
from discordianai.conversations.postgres.batches import Batch

_BESIDE: tuple[tuple[str, LiteralString, LiteralString], ...] = (
    ("setting", "channel_id, guild_id, person_id, persona, model", "channels WHERE guild_id = 0 AND"),
    ("open question", COLUMNS, "questions WHERE state < 2 AND"),
    (
        "usage",
        "day, person_id, guild_id, provider, model, answers, input_tokens, output_tokens, cost, unpriced,"
        " cached_tokens, searches",
        "usage WHERE",
    ),
    ("forgotten", "person_id, day", "forgotten WHERE"),
)
"""What is stored of a person beside turns: the kind of the line, its columns, and from where."""


def of_person(person_id: int) -> tuple[Batch, ...]:
    """Reads that give the lines, one after the other. Turns come first."""
    return turns_table.of_person(person_id), *(
        _lines(kind, columns, source, person_id) for kind, columns, source in _BESIDE
    )


def _lines(kind: str, columns: LiteralString, source: LiteralString, person_id: int) -> Batch:
    names = [name.strip() for name in columns.split(",")]
    return Batch(
        ((f"SELECT {columns} FROM {source} person_id = %(person_id)s", {"person_id": person_id}),),
        lambda rows: [json_lines.line(kind, dict(zip(names, row, strict=True))) for row in rows],
    )
