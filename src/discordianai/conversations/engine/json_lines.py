"""What is stored as JSON Lines: the same lines from every engine."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from types import MappingProxyType

from discordianai.records import Attachment

BESIDE_TURNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "setting": ("channel_id", "guild_id", "person_id", "persona", "model"),
        "open question": (
            "interaction_id", "state", "person_id", "person_name", "guild_id", "channel_id", "application_id",
            "private", "acknowledged_at", "provider", "prompt", "text", "message_ids", "finished_at", "more",
            "starts",
        ),
        "participation": ("person_id", "guild_id", "shared", "channel_id", "private"),
        "usage": (
            "day", "person_id", "guild_id", "provider", "model", "answers", "input_tokens", "output_tokens",
            "cost", "unpriced", "cached_tokens", "searches",
        ),
        "forgotten": ("person_id", "day"),
    }
)  # fmt: skip
"""The kinds of the lines, and the columns of each. The token of an open question is left out: it lets its
holder write as the bot, and says nothing about the person."""


_LINE_ENDS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}
"""Characters that JSON allows unescaped, and that many readers take for the end of a line."""

_NOT_EXPORTED = {"token"}
"""It allows its holder to write as the bot, and says nothing about the person."""

_JSON = {"attachments", "more"}
_TRUTHS = {"private", "shared"}
_FILE = [field.name for field in fields(Attachment)]


def line(kind: str, row: Mapping[str, object]) -> str:
    """A row as a line, without its end; `kind` tells what it is.

    Ids are texts, as in Discord's own JSON; null where there is none: of a server in a direct message, of a
    channel or a person where a conversation spans all of them.
    """
    shown = {name: _value(name, value) for name, value in row.items() if name not in _NOT_EXPORTED}
    written = json.dumps({"kind": kind, **shown}, ensure_ascii=False)
    return written if written.isascii() else written.translate(_LINE_ENDS)


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


def _value(column: str, value: object) -> object:
    """As people and programs read it. Data garbled by a disk fault is exported as it is."""
    if column.endswith("_id"):
        return str(value) if value else None
    if column in _TRUTHS:
        return bool(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if column in _JSON and isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value or "[]")
        if column == "attachments" and isinstance(value, list):
            return [dict(zip(_FILE, file, strict=False)) for file in value if isinstance(file, list)]
    if (column == "at" or column.endswith("_at")) and isinstance(value, float):
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value, UTC).isoformat()
        return str(value)
    return value
