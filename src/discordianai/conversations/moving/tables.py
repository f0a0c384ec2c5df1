"""What is moved: the tables as every engine has them, and their digests.

A digest is SHA-256 over all rows in the order of their keys, each value in a form that no engine has a say
in. Rows of a table that have one key are a part: parts are moved whole.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]
"""The values of a table's columns; of turns, the id follows."""

Key = tuple[Any, ...]
"""The first values of a row."""

BATCH_ROWS = 5000

BATCH_CHARACTERS = 4_000_000
"""Of text. A batch ends after so many rows, or so much text, and the rest of its part."""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` begin with those of the key, whose texts are compared byte by byte.

    Of a table that is `numbered`, rows of one key are ordered by an id that their digest leaves out, since an
    engine may have to give them another one.
    """

    name: str
    key_length: int
    columns: tuple[str, ...]
    numbered: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the key."""
        return self.columns[: self.key_length]

    def key_of(self, row: Row) -> Key:
        """The key of a row."""
        return row[: self.key_length]


TURNS = Table(
    "turns",
    3,
    (
        "conversation_person_id", "conversation_channel_id", "private", "person_id", "guild_id", "at", "role",
        "text", "attachments",
    ),
    numbered=True,
)  # fmt: skip
QUESTIONS = Table(
    "questions",
    1,
    (
        "interaction_id", "state", "person_id", "person_name", "guild_id", "channel_id", "application_id",
        "token", "private", "acknowledged_at", "provider", "prompt", "text", "message_ids", "finished_at",
        "more", "starts",
    ),
)  # fmt: skip
USAGE = Table(
    "usage",
    5,
    (
        "day", "person_id", "guild_id", "provider", "model", "answers", "input_tokens", "output_tokens",
        "cost", "unpriced", "cached_tokens", "searches",
    ),
)  # fmt: skip
FORGOTTEN = Table("forgotten", 1, ("person_id", "day"))
CHANNELS = Table("channels", 1, ("channel_id", "guild_id", "person_id", "persona", "model"))
GUILDS = Table("guilds", 1, ("guild_id", "left_at"))

TABLES = (TURNS, QUESTIONS, USAGE, FORGOTTEN, CHANNELS, GUILDS)

BOOKKEEPING = Table("bookkeeping", 1, ("id", "identifier_key"))
"""One row, which a new database has, too."""


class Digest:
    """Of the rows of a table that were added."""

    def __init__(self, table: Table) -> None:
        self._width = len(table.columns)
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows, in their order."""
        for row in rows:
            self._hash.update(b"".join(map(_encoded, row[: self._width])))
            self.rows += 1

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.rows, self.sha256) == (other.rows, other.sha256)

    __hash__ = None  # type: ignore[assignment]  # it changes


def batches(table: Table, rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    """The rows in batches of whole parts."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        full = len(batch) >= BATCH_ROWS or size >= BATCH_CHARACTERS
        if full and table.key_of(row) != table.key_of(batch[-1]):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
    if batch:
        yield batch


def _encoded(value: object) -> bytes:
    """Unambiguous, also where values follow each other."""
    if isinstance(value, str):
        text = value.encode()
        return b"s%d:%b" % (len(text), text)
    if isinstance(value, int):  # bool is one
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"b%d:%b" % (len(value), value)
    assert value is None, type(value)  # noqa: S101  # the engines' drivers give nothing else
    return b"n"
