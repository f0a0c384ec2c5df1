"""Opening the database file: its settings and its refusals. Synchronous."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from discordianai import safe_files
from discordianai.conversations.sqlite import files as database_files
from discordianai.conversations.sqlite.migrations import Report, migrate, unheard, version
from discordianai.conversations.store import StoreError

READERS = 3
"""Reads at the same time. SQLite lets go of the interpreter's lock while it reads."""

BUSY_TIMEOUT = 2.0
"""Seconds to wait for another program that holds the file, an operator's command for example: these write in
steps of milliseconds."""

CHECKPOINT_TIMEOUT = 0.02
"""Seconds that emptying the log waits for readers of an older state, while no write goes on: a read takes
less, and a backup takes longer than anybody would wait."""

LEAST_SQLITE = (3, 37)
"""STRICT tables."""

CARE = (
    "synchronous = FULL",  # a commit is an fsync: a stored turn survives a power cut
    "wal_autocheckpoint = 0",  # the checkpointer's work
    "secure_delete = ON",  # what is deleted is overwritten
    "temp_store = MEMORY",  # and nothing of it is in a temporary file
)
"""How whoever writes treats the file."""

_MAGIC = b"SQLite format 3\x00"


def readable(text: bytes) -> str:
    """For `text_factory`: what a fault of the disk garbled; the error for it would quote the text."""
    return text.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Connections:
    """The open file. Each connection is used by one thread at a time. `descriptor` is the file itself, `log`
    tells its write-ahead log from another."""

    writer: sqlite3.Connection
    readers: tuple[sqlite3.Connection, ...]
    checkpointer: sqlite3.Connection
    descriptor: int
    log: os.stat_result

    def close(self) -> None:
        """Close the file. Nothing may be running any more."""
        _close((self.writer, self.checkpointer, *self.readers), self.descriptor)


def open_connections(path: Path, report: Report = unheard) -> Connections:
    """Open the file, making it if it is new, and bringing it up to date if it is old.

    Raises `StoreError`, `sqlite3.Error`, `OSError`, and what `report` does.
    """
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 is needed")
    # It holds what people said, and tokens: nobody else on the machine reads it. SQLite gives its other files
    # the same mode.
    database_files.refuse_unsafe(path)
    descriptor, _ = safe_files.open_or_create(path)
    opened: list[sqlite3.Connection] = []
    try:
        _refuse_others(path)
        opened.append(connect(path, cache_kib=2048))
        migrate(opened[0], report)
        _touch_every_table(opened[0])
        opened.extend(connect(path, cache_kib=1024) for _ in range(READERS))
        opened.append(connect(path, cache_kib=256, busy_timeout=CHECKPOINT_TIMEOUT))
        log = path.with_name(path.name + "-wal").stat()
        return Connections(opened[0], tuple(opened[1:-1]), opened[-1], descriptor, log)
    except BaseException:
        _close(opened, descriptor)
        raise


def flush(descriptor: int) -> None:
    """Send what was written to the disk. macOS has no `fdatasync`."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _close(connections: Sequence[sqlite3.Connection], descriptor: int) -> None:
    """The descriptor last: closing it drops the locks that the connections have through others."""
    for connection in reversed(connections):
        connection.close()
    os.close(descriptor)


def connect(path: Path, *, cache_kib: int, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """One connection as all of them are set up. Transactions are written out: nothing begins by itself."""
    connection = sqlite3.connect(path, timeout=busy_timeout, check_same_thread=False, isolation_level=None)
    try:
        for pragma in (
            "auto_vacuum = INCREMENTAL",  # takes effect on a new file only, and before its first page
            "journal_mode = WAL",
            *CARE,
            f"cache_size = -{cache_kib}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.text_factory = readable
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_others(path: Path) -> None:
    """Raise `StoreError` before another program's database is changed: its journal mode would be."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        version(connection)
    finally:
        connection.close()


def _touch_every_table(connection: sqlite3.Connection) -> None:
    """Read one row of each, so that a file damaged at its head is found at the start. Costs no more for a
    large file: reading all of it would."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchall()  # noqa: S608  # our own names


def is_foreign(path: Path) -> bool:
    """Whether the file is there, has content, and is no SQLite database. Raises `UnsafeFile`."""
    try:
        descriptor = safe_files.open_existing(path)
    except safe_files.UnsafeFile:
        raise
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(len(_MAGIC))
    return bool(head) and head != _MAGIC


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
