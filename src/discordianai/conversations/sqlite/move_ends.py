"""A file as the source and as the target of a move; root's acts as its owner. Synchronous.

Both hold the lock of a bot, so that none starts meanwhile. A target has another application id until the move
is complete: whoever opens it before refuses it, also after this process was killed.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby
from pathlib import Path

from discordianai import safe_files
from discordianai.conversations.moving.port import Rows, Source, Target
from discordianai.conversations.moving.tables import TABLES, TURNS, Key, Row, Table
from discordianai.conversations.sqlite import bookkeeping_table, errors, files, migrations
from discordianai.conversations.sqlite.connections import connect, transaction
from discordianai.conversations.sqlite.files import DatabaseLock
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.turns_table import NUMBER_BITS
from discordianai.conversations.store import StoreError
from discordianai.privileges import acting_as_owner
from discordianai.safe_files import UnsafeFile

MOST_CONVERSATIONS = 1 << 31

LONGEST_LOG = 64 * 2**20
"""Bytes in the log after which it is emptied."""

_FROM_TURNS = (
    "conversations CROSS JOIN turns ON turns.id BETWEEN conversations.id << 32"
    " AND (conversations.id << 32) + 4294967295"
)
"""In this order: both are read along their keys, and nothing is sorted."""

_TURN_COLUMNS = {
    "conversation_person_id": "conversations.person_id",
    "conversation_channel_id": "conversations.channel_id",
    "private": "conversations.private",
    "person_id": "turns.person_id",
}


@contextmanager
def source(database: Path) -> Iterator[Source]:
    """A database of the present schema. Raises `StoreError`, `OSError`."""
    with acting_as_owner(database), operator_connection(database) as connection:
        _refuse_older(database, migrations.version(connection))
        lock = _locked(database)
        try:
            with operator_connection(database) as observer:
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM bookkeeping").fetchall()  # it begins with the first read
                yield FileSource(database, connection, observer)
        finally:
            lock.release()


def _refuse_older(database: Path, version: int) -> None:
    if version < len(migrations.STEPS):
        raise StoreError(
            f"the database {database} is of an older version of this program; run the bot once, which brings"
            " it up to date"
        )


def _locked(database: Path) -> DatabaseLock:
    if files.bot_is_running(database):
        raise StoreError(f"a bot, or another move, is running on {database}: stop it first")
    return DatabaseLock(database)


class FileEnd:
    """See `MoveEnd`."""

    def __init__(self, database: Path, connection: sqlite3.Connection) -> None:
        self._database = database
        self._connection = connection

    @property
    def label(self) -> str:
        """See `MoveEnd.label`."""
        return str(self._database)

    def rows(self, table: Table, after: Key | None = None, until: Key | None = None) -> Rows:
        """See `MoveEnd.rows`."""
        names = _TURN_COLUMNS if table is TURNS else {}
        key = ", ".join(names.get(name, name) for name in table.key)
        columns = ", ".join(names.get(name, name) for name in table.columns)
        order = key
        where: list[str] = []
        values: list[object] = []
        if table is TURNS:
            columns += ", turns.id"
            order += ", turns.id"
        for comparison, bound in ((">", after), ("<=", until)):
            if bound is not None:
                where.append(f"({key}) {comparison} ({', '.join('?' * len(bound))})")
                values += bound
        condition = " AND ".join(where) or "true"
        yield from self._connection.execute(
            f"SELECT {columns} FROM {_FROM_TURNS if table is TURNS else table.name}"  # noqa: S608  # our own names
            f" WHERE {condition} ORDER BY {order}",
            values,
        )

    def _number(self, select: str) -> int:
        return int(self._connection.execute(select).fetchone()[0])


class FileSource(FileEnd):
    """See `Source`. `observer` is outside the transaction in which all is read."""

    def __init__(self, database: Path, connection: sqlite3.Connection, observer: sqlite3.Connection) -> None:
        super().__init__(database, connection)
        self._observer = observer
        self._version = self._data_version()

    @property
    def identifier_key(self) -> bytes | None:
        """See `Source.identifier_key`."""
        return bookkeeping_table.identifier_key(self._connection)

    def count(self, table: Table) -> int:
        """See `Source.count`."""
        return self._number(f"SELECT count(*) FROM {table.name}")  # noqa: S608  # our own names

    def newest_turn(self) -> int:
        """See `Source.newest_turn`."""
        return self._number("SELECT coalesce(max(id), 0) FROM turns")

    def refuse_changes(self) -> None:
        """See `Source.refuse_changes`."""
        if self._data_version() != self._version:
            raise StoreError(f"another command has changed {self.label} meanwhile")

    def _data_version(self) -> int:
        return int(self._observer.execute("PRAGMA data_version").fetchone()[0])


@contextmanager
def target(database: Path, identifier_key: bytes | None, newest_turn: int) -> Iterator[Target]:
    """A new file, one with no data in it, or one that a move of that key was begun or finished into.

    `newest_turn` is the source's. Raises `StoreError`, `OSError`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(acting_as_owner(database))
            files.refuse_unsafe(database)
            if files.is_foreign(database):
                raise StoreError(f"{database} is not a database; name another file")
            lock = _locked(database)
            stack.callback(lock.release)
            descriptor, _ = safe_files.open_or_create(database)
            stack.callback(os.close, descriptor)  # after the connection: it drops the locks that this one has
        except FileNotFoundError:
            raise StoreError(
                f"there is no folder {database.parent}; make it first, or name another"
            ) from None
        except OSError as error:
            why = str(error) if isinstance(error, UnsafeFile) else error.strerror
            raise StoreError(f"the database {database} cannot be used: {why}") from None
        connection = stack.enter_context(_connected(database))
        is_complete = _begun(database, connection, identifier_key)
        yield FileTarget(database, connection, newest_turn, is_complete=is_complete)


@contextmanager
def _connected(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(database, cache_kib=16_384)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreError(f"the database {database} cannot be written: {errors.reason(error)}") from error


def _begun(database: Path, connection: sqlite3.Connection, identifier_key: bytes | None) -> bool:
    """See that it takes the data of that key. Whether it is complete already."""
    try:
        is_moving = migrations.is_moving(connection)
        if not is_moving:
            migrations.migrate(connection)
    except StoreError as error:
        raise StoreError(f"the database {database} cannot be used: {error}") from None
    if not is_moving:
        if not all(_is_empty(connection, table) for table in TABLES):
            _refuse_others(database, connection, identifier_key)
            return True
        with transaction(connection):
            connection.execute("UPDATE bookkeeping SET identifier_key = ?", (identifier_key,))
            connection.execute(f"PRAGMA application_id = {migrations.MOVING_ID}")
    _refuse_others(database, connection, identifier_key)
    return False


def _is_empty(connection: sqlite3.Connection, table: Table) -> bool:
    return connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is None  # noqa: S608  # our own names


def _refuse_others(database: Path, connection: sqlite3.Connection, identifier_key: bytes | None) -> None:
    if bookkeeping_table.identifier_key(connection) != identifier_key:
        raise StoreError(f"{database} has conversations of another origin in it; name another file")


class FileTarget(FileEnd):
    """See `Target`."""

    def __init__(
        self, database: Path, connection: sqlite3.Connection, newest_turn: int, *, is_complete: bool
    ) -> None:
        super().__init__(database, connection)
        self.is_complete = is_complete
        taken = self._number("SELECT coalesce(max(id), 0) FROM conversations")
        self._fresh = max(taken, newest_turn >> NUMBER_BITS) + 1
        self._log = files.log_of(database)

    def last_key(self, table: Table) -> Key | None:
        """See `Target.last_key`."""
        names = ("person_id", "channel_id", "private") if table is TURNS else table.key
        row = self._connection.execute(
            f"SELECT {', '.join(names)} FROM {'conversations' if table is TURNS else table.name}"  # noqa: S608  # our own
            f" ORDER BY {', '.join(f'{name} DESC' for name in names)} LIMIT 1"
        ).fetchone()
        return None if row is None else tuple(row)

    def clear(self, table: Table) -> None:
        """See `Target.clear`."""
        with transaction(self._connection):
            for name in ("turns", "participants", "conversations") if table is TURNS else (table.name,):
                self._connection.execute(f"DELETE FROM {name}")  # noqa: S608  # our own names

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Target.add`."""
        with transaction(self._connection):
            if table is TURNS:
                for key, turns in groupby(rows, table.key_of):
                    self._add_conversation(key, list(turns))
            else:
                marks = ", ".join("?" * len(table.columns))
                self._connection.executemany(
                    f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})",  # noqa: S608  # our own
                    rows,
                )
        if self._log.stat().st_size > LONGEST_LOG:
            self._empty_log()

    def _add_conversation(self, key: Key, turns: Sequence[Row]) -> None:
        conversation = self._free_id(turns[0][-1])
        first = conversation << NUMBER_BITS
        columns = TURNS.columns[TURNS.key_length :]
        numbered, last = [], first - 1
        for turn in turns:
            # Buttons refer to turns by their ids: those that a file had given before stay what they were.
            kept = turn[-1] if turn[-1] >> NUMBER_BITS == conversation else 0
            last = max(kept, last + 1)
            numbered.append((last, *turn[TURNS.key_length : -1]))
        self._connection.execute("INSERT INTO conversations VALUES (?, ?, ?, ?)", (conversation, *key))
        self._connection.executemany(
            f"INSERT INTO turns (id, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})",  # noqa: S608  # our own
            numbered,
        )
        participants = {turn[TURNS.key_length : TURNS.key_length + 2] for turn in turns}
        self._connection.executemany(
            "INSERT INTO participants VALUES (?, ?, ?)", [(*each, conversation) for each in participants]
        )

    def _free_id(self, turn: int) -> int:
        """The conversation's id that the turn's id tells of, if it is one and is free, or a new one."""
        told = turn >> NUMBER_BITS
        taken = self._connection.execute("SELECT 1 FROM conversations WHERE id = ?", (told,)).fetchone()
        if 0 < told < MOST_CONVERSATIONS and not taken:
            return told
        self._fresh += 1
        return self._fresh - 1

    def finish(self) -> None:
        """See `Target.finish`."""
        with transaction(self._connection):
            self._connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        self._empty_log()

    def _empty_log(self) -> None:
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
