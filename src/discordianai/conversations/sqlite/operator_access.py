"""How an operator's command opens the database, beside a bot that may be running, and what it reads there.
Synchronous.

A command never checkpoints while a bot runs (see `checkpoints`): it reads through a read-only connection, or
writes into the log and leaves the rest to the bot. It keeps the file's journal mode.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from discordianai.conversations.accounting import Spent, day_of
from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.operator_port import Inspection
from discordianai.conversations.sqlite import errors, files, migrations, usage_table
from discordianai.conversations.sqlite.connections import (
    DURABILITY_PRAGMAS,
    decode_leniently,
    open_connections,
)
from discordianai.conversations.sqlite.files import DatabaseLock, bot_is_running
from discordianai.conversations.store import StoreError
from discordianai.safe_files import UnsafeFile

PATIENCE = 10.0
"""Seconds to wait for the bot's writes."""

LOOK_PATIENCE = 1.0
"""Seconds that `schema_of` waits for them."""


@contextmanager
def operator_connection(database: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to a database of this program's; to write, it must have the newest schema.

    A command that only reads takes an older schema, too: a backup is made before an upgrade.
    Raises `StoreError`, also for a `sqlite3.Error` in the block.
    """
    _refuse_unusable(database, write=write)
    try:
        connection = sqlite3.connect(
            f"{database.absolute().as_uri()}?mode={'rw' if write else 'ro'}",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = decode_leniently
        try:
            if write:
                for setting in DURABILITY_PRAGMAS:
                    connection.execute(f"PRAGMA {setting}")
            _check_schema(connection, database, write=write)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"the database {database} cannot be used: {errors.reason(error)}") from error


def _refuse_unusable(database: Path, *, write: bool) -> None:
    """Give the reason where SQLite would only say that it cannot open the file.

    The file is not opened here: closing it would drop the locks of this process's other connections.
    """
    try:
        database.lstat()
        files.refuse_unsafe(database)
    except FileNotFoundError:
        raise StoreError(
            f"there is no database {database}; name it with --database PATH, or --from PATH for a move"
        ) from None
    except UnsafeFile as error:
        raise StoreError(f"the database {database} cannot be used: {error}") from None
    except OSError as error:
        raise StoreError(f"the database {database} cannot be used: {error.strerror}") from None
    needed = os.R_OK | (os.W_OK if write else 0)
    if not os.access(database, needed, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"the database {database} cannot be used: its permissions forbid it")


def _check_schema(connection: sqlite3.Connection, database: Path, *, write: bool) -> None:
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


def upgrade(database: Path, report: migrations.Report) -> None:
    """Migrate an older database, as a start of the bot does, under the bot's lock.

    Raises `StoreError`, `OSError`, and what `report` does.
    """
    with operator_connection(database) as connection:
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
        raise StoreError(f"{database} cannot be brought up to date: {errors.reason(error)}") from error
    finally:
        lock.release()


class UnreadableDatabase(StoreError):
    """It cannot be read, for a reason that SQLite gives; `damaged` where its content is at fault."""

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(errors.reason(error))
        self.damaged = errors.kind_of(error) is ErrorKind.CORRUPT


def schema_of(database: Path) -> tuple[int, int]:
    """The file's schema and the newest one. Raises `StoreError`, `UnreadableDatabase`.

    Leaves no files behind: where there is no log, the database is opened as one that nobody else writes.
    """
    options = "mode=ro" if files.log_of(database).exists() else "mode=ro&immutable=1"
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?{options}", uri=True, timeout=LOOK_PATIENCE)
        ) as connection:
            version = migrations.version(connection)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise UnreadableDatabase(error) from error
    return version, len(migrations.STEPS)


_COUNTS = {
    "conversations": "SELECT count(*) FROM conversations",
    "turns": "SELECT count(*) FROM turns",
    # Subqueries in the order of an index, where count(DISTINCT ...) would sort everything.
    "people": "SELECT count(*) FROM (SELECT DISTINCT person_id FROM participants WHERE person_id <> 0)",
    "servers": "SELECT count(*) FROM (SELECT DISTINCT guild_id FROM participants WHERE guild_id <> 0)",
    "open_questions": "SELECT count(*) FROM questions WHERE state < 2",
}


def inspect(connection: sqlite3.Connection, database: Path, now: float) -> Inspection:
    """Count everything. A million conversations take a second or two."""
    counts = {name: _number(connection, select) for name, select in _COUNTS.items()}
    oldest, newest = (
        connection.execute(f"SELECT {which}(at) FROM turns").fetchone()[0]  # noqa: S608  # our own words
        for which in ("min", "max")
    )
    log = database.with_name(database.name + "-wal")
    today = day_of(now)
    return Inspection(
        **counts,
        oldest=oldest,
        newest=newest,
        file_bytes=database.stat().st_size,
        free_bytes=_number(connection, "PRAGMA freelist_count") * _number(connection, "PRAGMA page_size"),
        log_bytes=log.stat().st_size if log.exists() else 0,
        today=_sum(connection, today),
        month=_sum(connection, f"{today[:8]}01"),
    )


def _number(connection: sqlite3.Connection, select: str) -> int:
    return int(connection.execute(select).fetchone()[0])


def _sum(connection: sqlite3.Connection, first_day: str) -> Spent:
    total = Spent()
    for line in usage_table.spending(connection, first_day, None, None):
        total = total.with_sum(line.spent)
    return total


_IDS = (
    ("person", "SELECT person_id FROM participants UNION SELECT person_id FROM usage"),
    ("person", "SELECT person_id FROM questions"),
    ("server", "SELECT guild_id FROM guilds UNION SELECT guild_id FROM participants"),
    ("server", "SELECT guild_id FROM usage"),
    ("channel", "SELECT channel_id FROM channels UNION SELECT channel_id FROM conversations"),
)


def known_ids(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    """The ids of people, servers and channels that are stored, each with what it is."""
    for kind, query in _IDS:
        for (number,) in connection.execute(query):
            if number:
                yield kind, int(number)
