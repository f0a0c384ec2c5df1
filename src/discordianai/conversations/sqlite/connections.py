"""Opening the database file: its settings and its refusals. Synchronous."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from discordianai import safe_files
from discordianai.conversations.sqlite import bookkeeping_table, files
from discordianai.conversations.sqlite.migrations import Report, migrate, no_report, tables, version
from discordianai.conversations.store import StoreError

READERS = 3
"""Reads at the same time. SQLite releases the GIL while it reads."""

BUSY_TIMEOUT = 0.75
"""Seconds to wait for another program that has the file locked: two writes, one after the other, wait for
less than what counts as a slow disk. An operator's commands write in steps of milliseconds."""

CHECKPOINT_TIMEOUT = 0.02
"""Seconds that emptying the log waits for readers of an older state. Writes wait meanwhile. A read takes
less, and a backup takes longer than anybody would wait."""

SQLITE = sqlite3.sqlite_version_info
"""The version of SQLite that Python includes."""

LEAST_SQLITE = (3, 37)
"""STRICT tables."""

DURABILITY_PRAGMAS = (
    "synchronous = FULL",  # a commit is an fsync: a stored turn survives a power cut
    "wal_autocheckpoint = 0",  # the checkpointer's work
    "secure_delete = ON",  # what is deleted is overwritten
    "temp_store = MEMORY",  # and nothing of it is in a temporary file
)
"""For every connection that writes."""


def decode_leniently(text: bytes) -> str:
    """For `text_factory`: a disk fault may garble text, and the decoding error would quote it."""
    return text.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Connections:
    """The open file. One thread at a time uses each connection.

    `descriptor` is the file itself; `log` identifies its write-ahead log at `log_path`, and `index` the index
    of that, by which processes tell each other what they use.
    """

    writer: sqlite3.Connection
    readers: tuple[sqlite3.Connection, ...]
    checkpointer: sqlite3.Connection
    descriptor: int
    log: os.stat_result
    log_path: Path
    index: os.stat_result

    def close(self) -> None:
        """Close the file. Nothing may be running any more."""
        _close((self.writer, self.checkpointer, *self.readers), self.descriptor)


def open_connections(path: Path, report: Report = no_report) -> Connections:
    """Open the file; create it if it is new, and migrate it if it is old.

    Raises `StoreError`, `sqlite3.Error`, `OSError`, and what `report` does.
    """
    if SQLITE < LEAST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 is needed")
    # It holds tokens and what people said, so only its owner may read it. SQLite gives its other files the
    # same mode.
    files.refuse_unsafe(path)
    descriptor, _ = safe_files.open_or_create(path)
    opened: list[sqlite3.Connection] = []
    try:
        _refuse_others(path)
        opened.append(connect(path, cache_kib=2048))
        migrate(opened[0], report)
        _touch_every_table(opened[0])
        bookkeeping_table.complete(opened[0])
        opened.extend(connect(path, cache_kib=1024) for _ in range(READERS))
        opened.append(connect(path, cache_kib=256, busy_timeout=CHECKPOINT_TIMEOUT))
        log, index = files.log_of(path), files.index_of(path)
        return Connections(
            opened[0], tuple(opened[1:-1]), opened[-1], descriptor, log.stat(), log, index.stat()
        )
    except BaseException:
        _close(opened, descriptor)
        raise


def flush(descriptor: int) -> None:
    """Sync the file to disk. macOS has no `fdatasync`."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _close(connections: Sequence[sqlite3.Connection], descriptor: int) -> None:
    """The descriptor last: closing it drops the POSIX locks that the connections hold on the same file."""
    for connection in reversed(connections):
        connection.close()
    os.close(descriptor)


def connect(path: Path, *, cache_kib: int, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """A connection with the settings that all of them share. No transaction begins by itself."""
    connection = sqlite3.connect(path, timeout=busy_timeout, check_same_thread=False, isolation_level=None)
    try:
        for pragma in (
            "auto_vacuum = INCREMENTAL",  # takes effect on a new file only, and before its first page
            "journal_mode = WAL",
            *DURABILITY_PRAGMAS,
            f"cache_size = -{cache_kib}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.text_factory = decode_leniently
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_others(path: Path) -> None:
    """Raise `StoreError` before the journal mode of another program's database is changed."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        version(connection)
    finally:
        connection.close()


def _touch_every_table(connection: sqlite3.Connection) -> None:
    """Read one row of each table, so that a file damaged at its head is found at the start, at a cost that
    does not grow with the file. Raises `sqlite3.DatabaseError` also where one is missing."""
    present = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    if not present >= tables():
        error = sqlite3.DatabaseError("a table is missing")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
    for table in present:
        connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchall()  # noqa: S608  # our own names


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside is committed together, or rolled back on an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
