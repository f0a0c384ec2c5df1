"""A consistent copy of the database, made while the bot runs. Synchronous.

All of it is read in one transaction: what the bot writes meanwhile goes into the log, and is not in the copy.
A copy in several transactions would have to start over after each of the bot's writes. The price is that the
log cannot be emptied until the copy is done.

The copy has no open questions. Their tokens allow anyone to write as the bot for 15 minutes, and a
database that is put back would have the bot answer again what was answered long ago. Their ids stay, so that
a replayed event is not answered. What was forgotten later is still in the copy, which the operator has to
keep as carefully, and no longer than needed. Of an older schema the copy is of the same: it is what an
upgrade begins with.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path

from discordianai import safe_files
from discordianai.conversations.operator_port import Report
from discordianai.conversations.sqlite import errors, files, questions_table, residues
from discordianai.conversations.sqlite.connections import flush
from discordianai.conversations.sqlite.files import bot_is_running
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.store import StoreError
from discordianai.privileges import acting_as_owner

STEP = 256
"""Pages of 4 KiB between two reports."""

FLUSH = 4
"""Steps between two flushes of the copy: flushing all at once would delay the bot's writes."""

REST = 0.01
"""Seconds between two steps beside a running bot: half a gigabyte takes ten seconds."""


class FileBackup:
    """See `operator_port.Backup`."""

    def __init__(self, database: Path) -> None:
        self._database = database

    def refuse_target(self, target: Path) -> None:
        """See `operator_port.Backup.refuse_target`."""
        refuse_target(self._database, target)

    def remarks(self) -> Iterator[str]:
        """See `operator_port.OperatorDatabase.remarks`."""
        with acting_as_owner(self._database):
            yield from files.remarks(self._database)

    def copy(self, target: Path, report: Report) -> None:
        """See `operator_port.Backup.copy`."""
        copy(self._database, target, report)

    def check(self, copied: Path, report: Report) -> None:
        """See `operator_port.Backup.check`."""
        check(copied, report)


def refuse_target(database: Path, target: Path) -> None:
    """Raise `StoreError` if a copy at `target` would harm a database, or be harmed."""
    target = safe_files.located(target)
    if target in files.files(safe_files.located(database)):
        raise StoreError(f"{target} belongs to the database itself; name another file")
    if bot_is_running(target):
        raise StoreError(f"{target} is the database of a running bot; name another file")
    for suffix in ("-wal", "-journal"):
        leftover = target.with_name(target.name + suffix)
        if os.path.lexists(leftover):
            raise StoreError(
                f"{leftover} is of a database that was here before, and SQLite would take it for the copy's;"
                " remove it, or name another file"
            )


def copy(database: Path, target: Path, report: Report) -> None:
    """Copy into `target`, an empty file of this user's. Raises `StoreError`, `OSError`.

    Root opens that one as itself, and the database as its owner.
    """
    with (
        _opened(target) as (copied, descriptor),
        acting_as_owner(database),
        operator_connection(database) as source,
    ):
        rest = REST if bot_is_running(database) else 0.0
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM bookkeeping").fetchall()  # it begins with the first read

        def progress(_status: int, remaining: int, total: int) -> None:
            if (total - remaining) % (STEP * FLUSH) < STEP:
                flush(descriptor)
            report(total - remaining, total)
            time.sleep(rest)

        try:
            _copy(source, copied, progress)
        except sqlite3.Error as error:
            raise StoreError(f"the copy of {database} failed: {errors.reason(error)}") from error


@contextmanager
def _opened(target: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """The empty file as a database, and its descriptor.

    SQLite opens paths, and follows links: before anything is written, it must have opened this very file,
    whoever else may write in its folder.
    """
    with ExitStack() as stack:
        descriptor = safe_files.open_existing(target, os.O_RDWR, mine=True)
        stack.callback(os.close, descriptor)  # after the connection: closing drops the locks that it has
        try:
            copied = sqlite3.connect(target, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{target} cannot be written: {errors.reason(error)}") from error
        stack.callback(copied.close)
        if not safe_files.is_open_twice(descriptor):
            raise StoreError(f"{target} was exchanged while it was written; name a file in another folder")
        yield copied, descriptor
        copied.close()
        residues.overwrite(descriptor, residues.find(descriptor))


def _copy(
    source: sqlite3.Connection, copied: sqlite3.Connection, progress: Callable[[int, int, int], None]
) -> None:
    for setting in (
        "locking_mode = EXCLUSIVE",  # no other process opens it
        "journal_mode = OFF",  # a copy that fails is thrown away
        "synchronous = OFF",  # it is sent to the disk at the end, as a whole
        "cache_size = -2048",
    ):
        copied.execute(f"PRAGMA {setting}").fetchall()
    source.backup(copied, pages=STEP, progress=progress)
    # One file that holds all, instead of a database with a log; the bot gives it one again.
    copied.execute("PRAGMA journal_mode = MEMORY").fetchall()
    copied.execute("PRAGMA secure_delete = ON").fetchall()
    questions_table.forget_all(copied, time.time())


def check(copied: Path, report: Report) -> None:
    """Raise `StoreError` if the copy is damaged, and so is the original."""
    connection = sqlite3.connect(
        f"{copied.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    try:
        complaint = _complaint(connection, report)
    except sqlite3.Error as error:
        complaint = errors.reason(error)
    finally:
        connection.close()
    if complaint != "ok":
        raise StoreError(f"nothing was written: the database is damaged ({complaint})")


def _complaint(connection: sqlite3.Connection, report: Report) -> str:
    """Check in a thread: it is one long call, during which Ctrl-C would have to wait."""
    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(lambda: str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0]))
        try:
            while not wait([result], timeout=0.1).done:
                report(0, 0)
        except BaseException:
            connection.interrupt()
            raise
        return result.result()
