"""Attachments as they are stored: a JSON list, empty text where there are none."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import Any

from discordianai.records import Attachment, FileKind

BEFORE, ADDED = 4, (False, 0.0, "")
"""How many values older versions wrote, and the defaults for the others."""


def rows(attachments: Iterable[Attachment]) -> list[tuple[object, ...]]:
    """Each as a row of plain values."""
    return [astuple(file) for file in attachments]


def from_rows(stored: Iterable[Sequence[Any]]) -> tuple[Attachment, ...]:
    """The reverse. Raises `TypeError` or `ValueError` for anything else."""
    return tuple(
        Attachment(name, url, size, content_type, quoted, expires_at, FileKind(kind))
        for name, url, size, content_type, quoted, expires_at, kind in map(_complete, stored)
    )


def dump(attachments: Iterable[Attachment]) -> str:
    """As one text."""
    listed = rows(attachments)
    return json.dumps(listed) if listed else ""


def load(stored: str | bytes) -> tuple[Attachment, ...]:
    """The reverse. Raises `TypeError` or `ValueError` where nobody wrote that."""
    return from_rows(json.loads(stored)) if stored else ()


def _complete(row: Sequence[Any]) -> Sequence[Any]:
    return (*row, *ADDED) if len(row) == BEFORE else row
