"""How an operator's command opens the database, beside a bot that may be running.

A visitor never checkpoints while a bot runs (see `checkpoints`): it reads through a connection that may not
write, or writes into the log and leaves the rest to the bot. Nor does it change what kind of file it is.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from discordianai.conversations.sqlite import errors as sqlite_errors
from discordianai.conversations.sqlite import files as database_files
from discordianai.conversations.sqlite import migrations
from discordianai.conversations.sqlite.connections import CARE, readable
from discordianai.conversations.store import StoreError
from discordianai.safe_files import UnsafeFile

PATIENCE = 10.0
"""Seconds to wait for the bot's writes."""

Report = Callable[[int, int], None]
"""Takes how much is done, and of how much; 0 where nobody knows."""


@contextmanager
def visit(database: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to a database of this program's; to write, only to one of the newest schema.

    What only reads has to do with an older one, too: a backup is made before an upgrade.
    Raises `StoreError`, also for a `sqlite3.Error` in the block.
    """
    _look(database, write=write)
    try:
        connection = sqlite3.connect(
            f"{database.absolute().as_uri()}?mode={'rw' if write else 'ro'}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = readable
        try:
            if write:
                for setting in CARE:
                    connection.execute(f"PRAGMA {setting}")
            _check(connection, database, write=write)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"the database {database} cannot be used: {sqlite_errors.reason(error)}") from error


def _look(database: Path, *, write: bool) -> None:
    """Say what SQLite would only call a file that cannot be opened. The file itself stays closed: to close it
    would drop the locks of this process's other connections."""
    try:
        database.lstat()
        database_files.refuse_unsafe(database)
    except FileNotFoundError:
        raise StoreError(f"there is no database {database}; name it with --database PATH") from None
    except UnsafeFile as error:
        raise StoreError(f"the database {database} cannot be used: {error}") from None
    except OSError as error:
        raise StoreError(f"the database {database} cannot be used: {error.strerror}") from None
    needed = os.R_OK | (os.W_OK if write else 0)
    if not os.access(database, needed, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"the database {database} cannot be used: its permissions forbid it")


def _check(connection: sqlite3.Connection, database: Path, *, write: bool) -> None:
    try:
        version = migrations.version(connection)
    except StoreError as error:
        raise StoreError(f"the database {database} cannot be used: {error}") from None
    if version == 0:
        raise StoreError(f"there is nothing in the database {database}: no bot has run with it yet")
    if write and version < len(migrations.STEPS):
        raise StoreError(
            f"the database {database} is of an older version of this program (its schema is {version}, the"
            f" present one {len(migrations.STEPS)}); run the bot once, which brings it up to date"
        )
