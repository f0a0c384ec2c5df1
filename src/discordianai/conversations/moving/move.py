"""Moves all rows from a source into a target, in batches that are committed each by itself.

A move that was stopped goes on after the last row that the target has, if all rows until there are the same
at both ends: what was forgotten or said in the source since then must not be missed. Where they are not, the
table is moved anew. In the end every table is read back and compared, and only then do bots start on it.
"""

from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from discordianai.conversations.moving.port import MoveEnd, Source, Target
from discordianai.conversations.moving.tables import BOOKKEEPING, TABLES, Digest, Key, Table, batches
from discordianai.conversations.operator_port import Report
from discordianai.conversations.store import StoreError

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
        self.total = sum(source.count(table) for table in TABLES)
        """Rows to be moved."""
        self._digests: dict[Table, Digest] = {}
        self.resumed = 0
        """Rows that an earlier run had moved."""

    def copy(self, report: Report) -> None:
        """Bring the rows into the target that are not there yet. Raises `StoreError`."""
        progress = _Progress(report, self.total)
        for table in TABLES:
            digest = Digest(table)
            last = self._target.last_key(table)
            if last is not None:
                _read(self._source, table, digest, progress, until=last)
                if digest != self._digest(self._target, table, progress.standing_still()):
                    self._target.clear(table)
                    progress.back(digest.rows)
                    digest, last = Digest(table), None
                self.resumed += digest.rows
            with closing(self._source.rows(table, after=last)) as rows:
                for batch in batches(table, rows):
                    self._target.add(table, batch)
                    digest.add(batch)
                    progress.add(len(batch))
            self._digests[table] = digest

    def verify(self, report: Report) -> tuple[MovedTable, ...]:
        """Read everything back and compare it. Raises `StoreError` if anything differs."""
        progress = _Progress(report, self.total)
        moved = []
        for table in (*TABLES, BOOKKEEPING):
            expected = self._digests.get(table)
            if expected is None:
                expected = self._digest(self._source, table, progress.standing_still())
            found = self._digest(self._target, table, progress)
            if found != expected:
                raise StoreError(
                    f"{table.name} differs: {expected.rows:,} rows in {self._source.label}, {found.rows:,} in"
                    f" {self._target.label}"
                )
            moved.append(MovedTable(table.name, found.rows, found.sha256))
        return tuple(moved)

    def _digest(self, end: MoveEnd, table: Table, progress: "_Progress") -> Digest:
        digest = Digest(table)
        _read(end, table, digest, progress)
        return digest


def _read(
    end: MoveEnd, table: Table, digest: Digest, progress: "_Progress", until: Key | None = None
) -> None:
    with closing(end.rows(table, until=until)) as rows:
        while chunk := tuple(islice(rows, CHUNK)):
            digest.add(chunk)
            progress.add(len(chunk))


class _Progress:
    """Counts rows for a report, which is called often."""

    def __init__(self, report: Report, total: int, done: int = 0, *, counting: bool = True) -> None:
        self._report = report
        self._total = total
        self._done = done
        self._counting = counting

    def add(self, rows: int) -> None:
        if self._counting:
            self._done += rows
        self._report(min(self._done, self._total), self._total)

    def back(self, rows: int) -> None:
        self._done -= rows

    def standing_still(self) -> "_Progress":
        """For rows that are read beside those that count."""
        return _Progress(self._report, self._total, self._done, counting=False)
