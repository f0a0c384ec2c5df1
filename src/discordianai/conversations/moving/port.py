"""The two ends of a move. Synchronous; every call raises `StoreError`."""

from collections.abc import Generator, Sequence
from typing import Protocol

from discordianai.conversations.moving.tables import Key, Row, Table

Rows = Generator[Row, None, None]


class MoveEnd(Protocol):
    """A database that no bot, and no other move, uses meanwhile."""

    @property
    def label(self) -> str:
        """What it is called in texts."""

    def rows(self, table: Table, after: Key | None = None, until: Key | None = None) -> Rows:
        """The rows whose key is greater than `after` and at most `until`, ascending. Memory is bounded.

        To be closed before the end is.
        """


class Source(MoveEnd, Protocol):
    """All reads see one state of it, and nothing in it is changed."""

    @property
    def identifier_key(self) -> bytes | None:
        """See `Store.identifier_key`."""

    def count(self, table: Table) -> int:
        """How many rows there are."""

    def newest_turn(self) -> int:
        """The highest id of a turn; 0 where there is none."""

    def refuse_changes(self) -> None:
        """Raise `StoreError` if somebody has changed it meanwhile."""


class Target(MoveEnd, Protocol):
    """No bot starts on it until `finish`, also if this process is killed before."""

    @property
    def is_complete(self) -> bool:
        """Whether an earlier move was finished, or a bot has used it. It is not to be changed then."""

    def last_key(self, table: Table) -> Key | None:
        """The highest key that is there; None where the table is empty."""

    def clear(self, table: Table) -> None:
        """Remove all rows, so that the table is moved anew."""

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Add whole parts, in one transaction."""

    def finish(self) -> None:
        """Everything is there: make it a database that bots start on. It is durable when this returns."""
