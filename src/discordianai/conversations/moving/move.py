"""Moves all rows from a source into a target, in batches that are committed each by itself.

A move that was stopped goes on after the last row that the target has, if all rows until there are the same
at both ends: what was forgotten or said in the source since then must not be missed. Where they are not, the
table is moved anew. In the end every table is read back and compared, and only then do bots start on it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from discordianai.conversations.moving.port import End, Source, Target
from discordianai.conversations.moving.tables import BOOKKEEPING, TABLES, Digest, Table, batches
from discordianai.conversations.store import StoreError

Report = Callable[[int, int], None]

CHUNK = 1000
"""Rows between two reports of a comparison."""


@dataclass(frozen=True, slots=True)
class MovedTable:
    """A table that is the same at both ends."""

    name: str
    rows: int
    sha256: str


class Move:
    """`copy`, then `verify`. Where the target is complete already, `verify` alone."""

    def __init__(self, source: Source, target: Target) -> None:
        self._source = source
        self._target = target
        self._total = sum(source.count(table) for table in TABLES)
        self._digests: dict[Table, Digest] = {}
        self._done = 0
        self.resumed = 0
        """Rows that an earlier run had moved."""

    def copy(self, report: Report) -> None:
        """Bring every row into the target that is not there yet. Raises `StoreError`, and what `report` does."""
        for table in TABLES:
            self._copy(table, report)

    def _copy(self, table: Table, report: Report) -> None:
        digest = Digest(table)
        last = self._target.last_key(table)
        if last is not None:
            self._note(digest, self._source.rows(table, until=last), report)
            if digest != self._of_target(table, _silent):
                self._target.clear(table)
                self._done -= digest.rows
                digest, last = Digest(table), None
            self.resumed += digest.rows
        for batch in batches(table, self._source.rows(table, after=last)):
            self._target.add(table, batch)
            digest.add(batch)
            self._done += len(batch)
            report(self._done, self._total)
        self._digests[table] = digest

    def verify(self, report: Report) -> tuple[MovedTable, ...]:
        """Read everything back and compare it. Raises `StoreError` if anything differs."""
        self._done = 0
        moved = []
        for table in (*TABLES, BOOKKEEPING):
            expected = self._digests.get(table) or self._of_source(table)
            found = self._of_target(table, report)
            if found != expected:
                raise StoreError(
                    f"{table.name} differs: {expected.rows:,} rows in {self._source.label}, {found.rows:,} in"
                    f" {self._target.label}"
                )
            moved.append(MovedTable(table.name, found.rows, found.sha256))
        return tuple(moved)

    def _of_source(self, table: Table) -> Digest:
        digest = Digest(table)
        digest.add(self._source.rows(table))
        return digest

    def _of_target(self, table: Table, report: Report) -> Digest:
        digest = Digest(table)
        self._note(digest, self._target.rows(table), report)
        return digest
