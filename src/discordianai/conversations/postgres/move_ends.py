"""A PostgreSQL database as the source and as the target of a move. Synchronous; also behind PgBouncer.

All of a source is read in one transaction, which locks its tables against writing: a bot that starts cannot
register. `bookkeeping.program` of a target has another value until the move is complete, so that whoever
opens it before refuses it. A second connection keeps that row locked while this process works on it: a second
move sees that, and has no lease to wait for when this one was killed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from discordianai.conversations.moving.port import Rows, Source, Target
from discordianai.conversations.moving.tables import QUESTIONS, TABLES, TURNS, Key, Row, Table
from discordianai.conversations.operator_port import DatabaseOnServer
from discordianai.conversations.postgres import migrations
from discordianai.conversations.postgres.connections import (
    PostgresConnection,
    PostgresServer,
    operator_connection,
)
from discordianai.conversations.postgres.operator_database import LONGEST, naming
from discordianai.conversations.postgres.processes_table import living
from discordianai.conversations.store import StoreError

BATCH_WITHIN = 300.0
"""Seconds for a batch to be sent and committed."""

ROWS = 1000
"""Fetched at once."""

LOCK_NOT_AVAILABLE = "55P03"

_TEXTS = {"day", "provider", "model"}
"""Those of keys: compared byte by byte, as in every engine."""

_UNCLAIMED = {"owner": 0, "claim": 0}
"""Of open questions: no process has them, so that the next bot to start takes them over."""

_LIMITS: tuple[LiteralString, ...] = (
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
"""Of the role or the server there may be others, which fit a bot."""


@contextmanager
def source(database: DatabaseOnServer) -> Iterator[Source]:
    """A database of the present schema. Raises `StoreError`."""
    server = PostgresServer(database.url.text, database.password)
    with operator_connection(server) as connection:
        with naming(server), connection.within(LONGEST):
            _refuse_other_schema(migrations.version(connection))
            _refuse_bots(connection)
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # No query may come before the lock: what is committed while it waits would not be seen.
            _begin(connection)
            _lock_tables(connection)
            _lock_out_bots(connection)
            _refuse_bots(connection)
        yield ServerSource(server, connection)


def _refuse_other_schema(version: int) -> None:
    if not version:
        raise StoreError("there is nothing in it: no bot has run with it yet")
    if version < len(migrations.STEPS):
        raise StoreError(
            "it is of an older version of this program; run the bot once, which brings it up to date"
        )


def _refuse_bots(connection: PostgresConnection) -> None:
    if bots := living(connection):
        raise StoreError(
            f"a bot is running on it ({', '.join(map(str, bots))}): stop it first; one that was killed counts"
            " for some seconds more"
        )


def _begin(connection: PostgresConnection) -> None:
    for limit in _LIMITS:
        connection.execute(limit)


def _lock_tables(connection: PostgresConnection) -> None:
    try:
        connection.execute(f"LOCK TABLE {', '.join(migrations.TABLES)} IN SHARE MODE")
    except psycopg.Error as error:
        if error.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        raise StoreError("another program is writing into it: stop it first") from None


def _lock_out_bots(connection: PostgresConnection) -> None:
    """A bot that starts now is told why it cannot."""
    held = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%s, hashtext(current_schema()))", (migrations.MOVE_LOCK,)
    ).fetchone()
    if held != (True,):
        raise StoreError("another move out of it is under way, or a bot is starting")


class ServerEnd:
    """See `MoveEnd`. What it reads, it reads in a transaction that is there."""

    def __init__(self, server: PostgresServer, connection: PostgresConnection) -> None:
        self._server = server
        self._connection = connection

    @property
    def label(self) -> str:
        """See `MoveEnd.label`."""
        return self._server.label

    def rows(self, table: Table, after: Key | None = None, until: Key | None = None) -> Rows:
        """See `MoveEnd.rows`."""
        statement, values = _select(table, after, until)
        with self._connection.cursor(name="rows") as cursor:
            with self._connection.within(LONGEST):
                cursor.execute(statement, values)
            while True:
                with self._connection.within(LONGEST):
                    rows = cursor.fetchmany(ROWS)
                yield from rows
                if len(rows) < ROWS:
                    return

    def _value(self, statement: sql.SQL | sql.Composed) -> Any:  # of whatever type it has
        with self._connection.within(LONGEST):
            row = self._connection.execute(statement).fetchone()
        return row[0] if row else None


class ServerSource(ServerEnd):
    """See `Source`."""

    @property
    def identifier_key(self) -> bytes | None:
        """See `Source.identifier_key`."""
        key: bytes | None = self._value(sql.SQL("SELECT identifier_key FROM bookkeeping"))
        return key

    def count(self, table: Table) -> int:
        """See `Source.count`."""
        return int(self._value(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))))

    def newest_turn(self) -> int:
        """See `Source.newest_turn`."""
        return int(self._value(sql.SQL("SELECT coalesce(max(id), 0) FROM turns")))

    def refuse_changes(self) -> None:
        """See `Source.refuse_changes`: the locks do."""


@contextmanager
def target(database: DatabaseOnServer, identifier_key: bytes | None) -> Iterator[Target]:
    """An empty database, or one that a move of that key was begun or finished into. Raises `StoreError`."""
    server = PostgresServer(database.url.text, database.password)
    with operator_connection(server) as connection, operator_connection(server) as holder:
        with naming(server), connection.within(LONGEST):
            is_complete = _begun(connection, identifier_key)
        with naming(server), holder.within(LONGEST):
            holder.execute("BEGIN")
            _begin(holder)
            program, key = _locked_bookkeeping(holder)
            if program != (migrations.PROGRAM if is_complete else migrations.MOVING) or key != identifier_key:
                raise StoreError("another move has begun meanwhile")
        yield ServerTarget(server, connection, holder, is_complete=is_complete)


def _begun(connection: PostgresConnection, identifier_key: bytes | None) -> bool:
    """See that it takes the data of that key. Whether it is complete already."""
    if not migrations.is_moving(connection):
        migrations.migrate(connection)
    with connection.transaction():
        _begin(connection)
        program, key = _locked_bookkeeping(connection)
        _refuse_bots(connection)
        is_new = program == migrations.PROGRAM and all(_is_empty(connection, table) for table in TABLES)
        if is_new:
            mark = "UPDATE bookkeeping SET program = %s, identifier_key = %s"
            connection.execute(mark, (migrations.MOVING, identifier_key))
        elif key != identifier_key:
            raise StoreError("it has conversations of another origin in it; name another database")
    return bool(program == migrations.PROGRAM) and not is_new


def _locked_bookkeeping(connection: PostgresConnection) -> tuple[str, bytes | None]:
    try:
        row = connection.execute(
            "SELECT program, identifier_key FROM bookkeeping FOR UPDATE NOWAIT"
        ).fetchone()
    except psycopg.Error as error:
        if error.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        raise StoreError("another move into it is under way") from None
    if row is None:
        raise StoreError("its table bookkeeping is empty")
    return row[0], row[1]


def _is_empty(connection: PostgresConnection, table: Table) -> bool:
    query = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table.name))
    return connection.execute(query).fetchone() is None


class ServerTarget(ServerEnd):
    """See `Target`."""

    def __init__(
        self,
        server: PostgresServer,
        connection: PostgresConnection,
        holder: PostgresConnection,
        *,
        is_complete: bool,
    ) -> None:
        super().__init__(server, connection)
        self._holder = holder
        self.is_complete = is_complete

    def rows(self, table: Table, after: Key | None = None, until: Key | None = None) -> Rows:
        """See `MoveEnd.rows`."""
        with self._connection.transaction():
            with self._connection.within(LONGEST):
                _begin(self._connection)
            yield from super().rows(table, after, until)

    def last_key(self, table: Table) -> Key | None:
        """See `Target.last_key`."""
        statement = sql.SQL("SELECT {key} FROM {table} ORDER BY {order} LIMIT 1").format(
            key=_names(table.key),
            table=sql.Identifier(table.name),
            order=sql.SQL(", ").join(sql.SQL("{} DESC").format(_ordered(name)) for name in table.key),
        )
        with self._connection.within(LONGEST):
            return self._connection.execute(statement).fetchone()

    def clear(self, table: Table) -> None:
        """See `Target.clear`."""
        with self._writing():
            self._connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name)))

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Target.add`."""
        more = _UNCLAIMED if table is QUESTIONS else {}
        columns = (*table.columns, *(("id",) if table is TURNS else ()), *more)
        statement = sql.SQL("COPY {table} ({columns}) FROM STDIN").format(
            table=sql.Identifier(table.name), columns=_names(columns)
        )
        values = tuple(more.values())
        with self._writing(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row((*row, *values))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction, if this move has the database still. The last one of all makes it durable."""
        with self._holder.within(BATCH_WITHIN):
            self._holder.execute("SELECT 1")
        with self._connection.within(BATCH_WITHIN), self._connection.transaction():
            _begin(self._connection)
            _refuse_bots(self._connection)
            self._connection.execute("SET LOCAL synchronous_commit = off")
            yield

    def finish(self) -> None:
        """See `Target.finish`."""
        with self._connection.within(LONGEST):
            self._connection.execute(
                "SELECT setval(pg_get_serial_sequence('turns', 'id'), max(id)) FROM turns HAVING max(id) > 0"
            )
            self._connection.execute(f"ANALYZE {', '.join(table.name for table in TABLES)}")
        with self._holder.within(LONGEST):
            self._holder.execute("LOCK TABLE processes IN SHARE MODE")
            _refuse_bots(self._holder)
            self._holder.execute("SET LOCAL synchronous_commit = on")
            self._holder.execute("UPDATE bookkeeping SET program = %s", (migrations.PROGRAM,))
            self._holder.execute("COMMIT")


def _select(table: Table, after: Key | None, until: Key | None) -> tuple[sql.Composed, list[object]]:
    key = sql.SQL(", ").join(map(_ordered, table.key))
    columns = (*table.columns, *(("id",) if table.numbered else ()))
    conditions: list[sql.Composable] = [sql.SQL("true")]
    values: list[object] = []
    for comparison, bound in ((sql.SQL(">"), after), (sql.SQL("<="), until)):
        if bound is not None:
            marks = sql.SQL(", ").join(sql.Placeholder() * len(bound))
            conditions.append(sql.SQL("({}) {} ({})").format(key, comparison, marks))
            values += (
                bool(value) if name == "private" else value
                for name, value in zip(table.key, bound, strict=True)
            )
    statement = sql.SQL("SELECT {columns} FROM {table} WHERE {conditions} ORDER BY {key}{id}").format(
        columns=_names(columns),
        table=sql.Identifier(table.name),
        conditions=sql.SQL(" AND ").join(conditions),
        key=key,
        id=sql.SQL(", id" if table.numbered else ""),
    )
    return statement, values


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _ordered(column: str) -> sql.Composable:
    name = sql.Identifier(column)
    return sql.SQL('{} COLLATE "C"').format(name) if column in _TEXTS else name
