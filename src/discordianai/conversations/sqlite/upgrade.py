"""Brings an older database to the newest schema for a command that writes, as a start of the bot does.

Synchronous, and under the bot's lock.
"""

import sqlite3
from pathlib import Path

from discordianai.conversations.sqlite import errors as sqlite_errors
from discordianai.conversations.sqlite import migrations
from discordianai.conversations.sqlite.connections import open_connections
from discordianai.conversations.sqlite.lock import DatabaseLock, bot_is_running
from discordianai.conversations.sqlite.migrations import Report
from discordianai.conversations.sqlite.operator_access import visit
from discordianai.conversations.store import StoreError


def upgrade(database: Path, report: Report) -> None:
    """Do so where it is not up to date. Raises `StoreError`, `OSError`, and what `report` does."""
    with visit(database) as connection:
        if migrations.version(connection) == len(migrations.STEPS):
            return
    if bot_is_running(database):
        raise StoreError(
            f"a bot of an older version of this program runs on {database}; restart it first, which brings it"
            " up to date"
        )
    lock = DatabaseLock(database)
    try:
        open_connections(database, report).close()
    except sqlite3.Error as error:
        raise StoreError(f"{database} cannot be brought up to date: {sqlite_errors.reason(error)}") from error
    finally:
        lock.release()
