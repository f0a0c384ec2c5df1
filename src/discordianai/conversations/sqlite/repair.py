"""A file that is damaged, or is no longer the one that was opened. Synchronous."""

import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from discordianai.conversations.sqlite import errors as sqlite_errors
from discordianai.conversations.sqlite.connections import Connections, open_connections, transaction
from discordianai.conversations.sqlite.errors import Trouble
from discordianai.conversations.sqlite.migrations import Report


def open_sound(path: Path, report: Report) -> Connections:
    """Open the file; one that shows itself damaged is set aside first.

    Raises `StoreError`, `sqlite3.Error`, `OSError`, and what `report` does.
    """
    try:
        return open_connections(path, report)
    except sqlite3.DatabaseError as error:
        if sqlite_errors.trouble(error) is not Trouble.DAMAGED:
            raise
        set_damaged_aside(path)
        return open_connections(path)


def set_damaged_aside(path: Path) -> None:
    """Make room for a fresh file, and tell the operator where the damaged one is."""
    log = structlog.get_logger("discordianai.conversations")
    log.error("the damaged database was set aside, a fresh one is begun", file=str(_set_aside(path)))


def takes_writes(path: Path, connections: Connections) -> bool:
    """Whether the open file is still at its path, sound and writable.

    False where it has to be opened anew; raises `sqlite3.Error` where only time can help.
    """
    if is_elsewhere(path, connections):
        return False
    with transaction(connections.writer):
        touch(connections.writer)
    return True


def is_elsewhere(path: Path, connections: Connections) -> bool:
    """Whether the open file was removed or replaced: what is written to it is lost when it is closed.

    False where nobody may look; the open file takes writes all the same.
    """
    try:
        return not os.path.samestat(path.lstat(), os.fstat(connections.descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def close(path: Path, connections: Connections) -> None:
    """Close the file, also where another is at its place, which must not get its log: SQLite would replay it,
    and damage the other file. It sees the same, and so leaves the log behind. Raises `sqlite3.Error`."""
    log = path.with_name(path.name + "-wal")
    stale = (
        is_elsewhere(path, connections) and log.exists() and os.path.samestat(log.lstat(), connections.log)
    )
    if stale:
        with suppress(sqlite3.Error):  # it goes where the file is now, if it is anywhere
            connections.checkpointer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connections.close()
    if stale:
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        log.unlink()


def touch(connection: sqlite3.Connection) -> None:
    """Write something that means nothing."""
    connection.execute("UPDATE bookkeeping SET probes = probes + 1")


def _set_aside(path: Path) -> Path:
    """Rename a damaged database, and its write-ahead log; the new name.

    The log goes first: SQLite would take one that stayed for the fresh file's.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target, copies = path.with_name(f"{path.name}.damaged-{moment}"), 1
    while os.path.lexists(target):
        copies += 1
        target = path.with_name(f"{path.name}.damaged-{moment}-{copies}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if os.path.lexists(source):
            source.rename(target.with_name(target.name + suffix))
    return target
