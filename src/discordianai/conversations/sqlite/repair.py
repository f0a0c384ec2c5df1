"""A file that is damaged, or is no longer the one that was opened. Synchronous."""

import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.sqlite import bookkeeping_table, errors, files
from discordianai.conversations.sqlite.connections import Connections, open_connections, transaction
from discordianai.conversations.sqlite.migrations import Report


def open_or_begin_anew(path: Path, report: Report) -> Connections:
    """Open the file; a damaged one is set aside, and a new one created.

    Raises `StoreError`, `sqlite3.Error`, `OSError`, and what `report` does.
    """
    try:
        return open_connections(path, report)
    except sqlite3.DatabaseError as error:
        if errors.kind_of(error) is not ErrorKind.CORRUPT:
            raise
        set_aside(path)
        return open_connections(path)


def set_aside(path: Path) -> None:
    """Rename a damaged database, so that a new one can take its place, and log where it is now.

    The log goes first: SQLite would take one that stayed for the new file's.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target, copies = path.with_name(f"{path.name}{files.DAMAGED}{moment}"), 1
    while os.path.lexists(target):
        copies += 1
        target = path.with_name(f"{path.name}{files.DAMAGED}{moment}-{copies}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if os.path.lexists(source):
            source.rename(target.with_name(target.name + suffix))
    log = structlog.get_logger("discordianai.conversations.sqlite.repair")
    log.error("database damaged: renamed it and created a new one", file=str(target))


def check_writable(path: Path, connections: Connections) -> bool:
    """Whether the open connections can still be used: the file is at its path, and accepts writes.

    False where the file has to be opened anew, also because less is in it than was written. Raises
    `sqlite3.Error` where it refuses writes.
    """
    if was_replaced(path, connections):
        return False
    try:
        with transaction(connections.writer):
            bookkeeping_table.probe(connections.writer)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_IOERR_SHORT_READ:
            raise
        return False
    return True


def was_replaced(path: Path, connections: Connections) -> bool:
    """Whether the open file, its log or the log's index was removed or replaced: what is written may be lost.

    Another program would begin a log of its own, or not know that this one is in use; and a process that is
    killed would lose what is only in a removed log.
    """
    opened = {
        path: os.fstat(connections.descriptor),
        files.log_of(path): connections.log,
        files.index_of(path): connections.index,
    }
    return any(_is_elsewhere(file, status) for file, status in opened.items())


def _is_elsewhere(path: Path, opened: os.stat_result) -> bool:
    """False where its folder may not be read; the open file takes writes all the same."""
    try:
        return not os.path.samestat(path.lstat(), opened)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def close(path: Path, connections: Connections) -> None:
    """Close the connections. Raises `sqlite3.Error`.

    Where another file has taken the database's place, SQLite leaves the log behind, and would replay it into
    that other file and damage it. So the log is emptied first where possible, and removed. One that was
    removed is emptied, too: nobody would find what is in it.
    """
    log = files.log_of(path)
    other = _is_elsewhere(path, os.fstat(connections.descriptor))
    stale = other and log.exists() and os.path.samestat(log.lstat(), connections.log)
    if was_replaced(path, connections):
        with suppress(sqlite3.Error):  # it goes where the file is now, if it is anywhere
            connections.checkpointer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connections.close()
    if stale:
        files.index_of(path).unlink(missing_ok=True)
        log.unlink(missing_ok=True)
