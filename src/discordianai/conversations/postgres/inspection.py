"""What a server says about itself, for `check`: nothing is changed, and a bot may be running."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from discordianai.conversations.postgres import migrations
from discordianai.conversations.postgres.connections import PostgresServer, operator_connection
from discordianai.conversations.postgres.processes_table import LivingProcess, living
from discordianai.conversations.store import StoreError

_SERVER = """
    SELECT current_setting('server_version'), current_setting('server_encoding'),
        current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
        current_setting('synchronous_commit'),
        pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', pg_backend_pid(),
        pg_database_size(current_database())
"""

_ROLE = """
    SELECT role.rolname, role.rolsuper, current_schema(),
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
    FROM pg_roles AS role WHERE role.rolname = current_user
"""

_CONNECTIONS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        role.rolconnlimit, database.datconnlimit,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
    FROM pg_roles AS role, pg_database AS database
    WHERE role.rolname = current_user AND database.datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """How many this user may have by all limits together, and how many anybody has, this one too."""

    most: int
    in_use: int


@dataclass(frozen=True, slots=True)
class PostgresInspection:
    """A server that answers, and the database as it is there. `size` is in bytes.

    `schema` is 0 where the bot has not been yet; `unusable` says why it would not start there, if anything.
    `pooled`: something such as PgBouncer is between. `durable`: what is committed survives a crash.
    """

    version: str
    major: int
    encoding: str
    encrypted: bool
    pooled: bool
    durable: bool
    read_only: bool
    role: str
    superuser: bool
    may_create: bool
    connections: ConnectionCounts
    size: int
    schema: int
    newest_schema: int
    unusable: str
    bots: tuple[LivingProcess, ...]


def inspect(server: PostgresServer, seconds: float) -> PostgresInspection:
    """Look at the database; all of it together takes at most so long. Raises `StoreError`."""
    with operator_connection(server) as connection, connection.within(seconds):
        version, encoding, fsync, full_pages, commit, read_only, pid, size = _row(connection, _SERVER)
        role, superuser, schema, may_create = _row(connection, _ROLE)
        schema_version, unusable = _schema(connection)
        return PostgresInspection(
            version=str(version).split()[0],
            major=connection.info.server_version // 10_000,
            encoding=encoding,
            encrypted=bool(connection.pgconn.ssl_in_use),
            pooled=connection.info.backend_pid != pid,  # a pooler gives out process ids of its own
            durable=fsync and full_pages and commit != "off",
            read_only=read_only,
            role=role,
            superuser=superuser,
            may_create=may_create and schema is not None,
            connections=_connections(connection),
            size=size,
            schema=schema_version,
            newest_schema=len(migrations.STEPS),
            unusable=unusable,
            bots=living(connection) if schema_version else (),
        )


def _schema(connection: Connection[Any]) -> tuple[int, str]:
    try:
        found = migrations.version(connection)
        if not found:
            migrations.refuse_others_tables(connection)
    except StoreError as error:
        return 0, str(error)
    return found, ""


def _connections(connection: Connection[Any]) -> ConnectionCounts:
    most, of_role, of_database, in_use = _row(connection, _CONNECTIONS)
    return ConnectionCounts(min(limit for limit in (most, of_role, of_database) if limit >= 0), in_use)


def _row(connection: Connection[Any], query: Any) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    if row is None:
        raise StoreError("the server answers a question about itself with nothing")
    return tuple(row)
