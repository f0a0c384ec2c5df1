"""A PostgreSQL database as an operator's commands read it. Synchronous.

Each call reads in one transaction, and so one state, also behind PgBouncer in transaction mode. Rows come
through a cursor of the server's, some thousand at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import dict_row

from discordianai.conversations.accounting import Spent, day_of
from discordianai.conversations.engine import json_lines
from discordianai.conversations.operator_port import (
    DatabaseOnServer,
    Inspection,
    OperatorDatabase,
    Purge,
    Report,
    Selection,
)
from discordianai.conversations.postgres import export, migrations, turns_table, usage_table
from discordianai.conversations.postgres.batches import Batch, Row
from discordianai.conversations.postgres.connections import (
    PostgresConnection,
    PostgresServer,
    operator_connection,
)
from discordianai.conversations.postgres.processes_table import living
from discordianai.conversations.postgres.purge import ServerPurge
from discordianai.conversations.store import StoreError

LONGEST = 600.0
"""Seconds that the server may take for one answer: it may have to count or sort everything."""

ROWS = 2000
"""Fetched at once."""

_COUNTS: LiteralString = """
    SELECT
        (SELECT count(*) FROM (
            SELECT DISTINCT conversation_person_id, conversation_channel_id, private FROM turns) AS kept),
        (SELECT count(*) FROM turns),
        (SELECT count(*) FROM (SELECT DISTINCT person_id FROM turns WHERE person_id <> 0) AS people),
        (SELECT count(*) FROM (SELECT DISTINCT guild_id FROM turns WHERE guild_id <> 0) AS servers),
        (SELECT count(*) FROM questions WHERE state < 2),
        (SELECT min(at) FROM turns),
        (SELECT max(at) FROM turns)
"""

_SIZE: LiteralString = (
    "SELECT coalesce(sum(pg_total_relation_size(name::regclass)), 0)::bigint"
    " FROM unnest(%s::text[]) AS tables (name)"
)

_IDS: tuple[tuple[str, LiteralString], ...] = (
    ("person", "SELECT DISTINCT person_id FROM turns UNION SELECT person_id FROM usage"),
    ("person", "SELECT person_id FROM questions"),
    ("server", "SELECT guild_id FROM guilds UNION SELECT DISTINCT guild_id FROM turns"),
    ("server", "SELECT guild_id FROM usage"),
    ("channel", "SELECT channel_id FROM channels UNION SELECT DISTINCT conversation_channel_id FROM turns"),
)


@contextmanager
def opened(database: DatabaseOnServer) -> Iterator[OperatorDatabase]:
    """See `discordianai.conversations.opening.open_for_reading`."""
    server = PostgresServer(database.url.text, database.password)
    with operator_connection(server) as connection:
        with naming(server), connection.within(LONGEST):
            if not migrations.version(connection):
                raise StoreError("there is nothing in it: no bot has run with it yet")
        yield ServerDatabase(server, connection)


@contextmanager
def purging(database: DatabaseOnServer, report: Callable[[int], object]) -> Iterator[Purge]:
    """See `discordianai.conversations.opening.open_for_purge`."""
    server = PostgresServer(database.url.text, database.password)
    with operator_connection(server) as connection:
        with naming(server), connection.within(LONGEST):
            migrations.migrate(connection, report)
        yield ServerPurge(connection)


@contextmanager
def naming(server: PostgresServer) -> Iterator[None]:
    """What is wrong with a database is told with its name."""
    try:
        yield
    except StoreError as error:
        raise StoreError(f"the database {server.label} cannot be used: {error}") from None


class ServerDatabase:
    """See `OperatorDatabase`."""

    def __init__(self, server: PostgresServer, connection: PostgresConnection) -> None:
        self._server = server
        self._connection = connection

    def remarks(self) -> Iterator[str]:
        """See `OperatorDatabase.remarks`."""
        with self._connection.within(LONGEST):
            bots = living(self._connection)
        running = (
            f"a bot is running on it ({', '.join(map(str, bots))})" if bots else "no bot is running on it"
        )
        yield f"{self._server.label}: {running}"

    def bot_is_running(self) -> bool:
        """See `OperatorDatabase.bot_is_running`."""
        with self._connection.within(LONGEST):
            return bool(living(self._connection))

    def inspect(self, now: float) -> Inspection:
        """See `OperatorDatabase.inspect`."""
        today = day_of(now)
        with self._one_state():
            conversations, turns, people, servers, open_questions, oldest, newest = self._row(_COUNTS)
            (size,) = self._row(_SIZE, list(migrations.TABLES))
            return Inspection(
                conversations=conversations,
                turns=turns,
                people=people,
                servers=servers,
                open_questions=open_questions,
                oldest=oldest,
                newest=newest,
                file_bytes=int(size),
                free_bytes=None,
                log_bytes=None,
                today=self._spent(today),
                month=self._spent(f"{today[:8]}01"),
            )

    def count(self, selection: Selection) -> int:
        """See `OperatorDatabase.count`."""
        condition, values = condition_of(selection)
        statement = sql.SQL("SELECT count(*) FROM turns WHERE {condition}").format(
            condition=sql.SQL(condition)
        )
        with self._one_state():
            return int(self._row(statement, *values)[0])

    def exported(self, selection: Selection, report: Report) -> Iterator[str]:
        """See `OperatorDatabase.exported`."""
        condition, values = condition_of(selection)
        where = sql.SQL(condition)
        with self._one_state():
            count = sql.SQL("SELECT count(*) FROM turns WHERE {where}").format(where=where)
            total = int(self._row(count, *values)[0])
            turns = sql.SQL(turns_table.EXPORTED).format(condition=where)
            for number, line in enumerate(self._lines("turn", turns, values), 1):
                report(number, total)
                yield line
            if selection.person_id is not None:
                for query in export.beside_turns(selection.person_id):
                    yield from query.result(self._rows(query))

    def identifier_key(self) -> bytes | None:
        """See `OperatorDatabase.identifier_key`."""
        with self._one_state():
            key: bytes | None = self._row("SELECT identifier_key FROM bookkeeping")[0]
        return key

    def known_ids(self) -> Iterator[tuple[str, int]]:
        """See `OperatorDatabase.known_ids`."""
        with self._one_state():
            for kind, query in _IDS:
                with self._connection.cursor(name="ids") as cursor, self._connection.within(LONGEST):
                    cursor.itersize = ROWS
                    cursor.execute(query)
                    for (number,) in cursor:
                        if number:
                            yield kind, int(number)

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """Everything in the block sees the database as it is now."""
        with self._connection.transaction():
            with self._connection.within(LONGEST):
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                # The operator has time, also where the role's settings are made for the bot.
                for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    self._connection.execute("SELECT set_config(%s, '0', true)", (limit,))
            yield

    def _row(self, statement: sql.Composed | LiteralString, *values: object) -> tuple[Any, ...]:
        with self._connection.within(LONGEST):
            query = sql.SQL(statement) if isinstance(statement, str) else statement
            row = self._connection.execute(query, values or None).fetchone()
        if row is None:
            raise StoreError("it answers with nothing where it has to have a row")
        return tuple(row)

    def _spent(self, first_day: str) -> Spent:
        query = usage_table.spending(first_day, None, None)
        total = Spent()
        for line in query.result(self._rows(query)):
            total = total.with_sum(line.spent)
        return total

    def _rows(self, query: Batch) -> Sequence[Row]:
        rows: Sequence[Row] = ()
        with self._connection.within(LONGEST):
            for statement, values in query.statements:
                rows = self._connection.execute(statement, values).fetchall()
        return rows

    def _lines(self, kind: str, statement: sql.Composed, values: Sequence[object]) -> Iterator[str]:
        with self._connection.cursor(name="lines", row_factory=dict_row) as cursor:
            with self._connection.within(LONGEST):
                cursor.execute(statement, values)
            while True:
                with self._connection.within(LONGEST):
                    rows = cursor.fetchmany(ROWS)
                if not rows:
                    return
                for row in rows:
                    yield json_lines.line(kind, row)


def condition_of(selection: Selection) -> tuple[LiteralString, tuple[object, ...]]:
    """The condition in SQL that the turns of a selection fulfil, and the values for it."""
    if selection.person_id is not None:
        return "person_id = %s", (selection.person_id,)
    if selection.guild_id is not None:
        return "guild_id = %s AND guild_id <> 0", (selection.guild_id,)  # so that the planner sees the index
    if selection.channel_id is not None:
        return "conversation_channel_id = %s", (selection.channel_id,)
    if selection.before is not None:
        return "at < %s", (selection.before,)
    return "true", ()
