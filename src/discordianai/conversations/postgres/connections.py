"""Connections to the server: their settings, text as it can be stored, an end for every wait. Synchronous.

Nothing lives in a session, so that PgBouncer may give each transaction another one: no prepared statements,
no session locks, no LISTEN, no `SET` that outlives its transaction.

Every call has a deadline of its own here, because the server may be the one that stands still: a stopped
process accepts packets and answers none, which neither `statement_timeout` nor TCP notices.
"""

import logging
import math
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.abc import AdaptContext, Buffer, PQGen
from psycopg.adapt import Dumper, Loader

from discordianai.conversations.database_url import is_this_machine
from discordianai.conversations.operator_port import SecretText
from discordianai.conversations.postgres import errors
from discordianai.conversations.postgres.batches import Row, Statement
from discordianai.conversations.store import StoreError
from discordianai.text import well_formed

CONNECT_WITHIN = 5
"""Seconds for one address of the server, name and TLS included."""

KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""A connection whose other end has vanished is noticed within 20 s, also where nobody waits on it."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where the database is. `url` is a `postgresql://` one; `password` comes before the one in it."""

    url: str = field(repr=False)
    password: SecretText | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """What it is called in logs and errors: without user, password and options."""
        parts = self._parts()
        hosts = str(parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
        ports = str(parts.get("port") or "5432").split(",")
        ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
        where = ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=True))
        return f"{parts.get('dbname') or parts.get('user') or 'postgres'} at {where}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What libpq is given. What the URL says comes before our own settings. Raises `StoreError`."""
        own: dict[str, Any] = {
            "application_name": "discordianai",
            **KEEPALIVE,
            **self._parts(),
            "client_encoding": "utf8",
        }
        if self.password is not None and (secret := self.password.get_secret_value()):
            own["password"] = secret
        return own

    def _parts(self) -> dict[str, Any]:
        try:
            return conninfo.conninfo_to_dict(self.url)
        except psycopg.Error:
            # The chained text would quote the address, with the password in it.
            raise StoreError("the address of the database is not one that PostgreSQL understands") from None


class PostgresConnection(psycopg.Connection[Any]):
    """Each wait on it ends at `deadline`, a time of `time.monotonic`; it is closed then."""

    deadline: float = math.inf
    _binding: psycopg.ClientCursor[Any] | None = None

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """See `psycopg.Connection.wait`."""
        left = self.deadline - time.monotonic()
        if not math.isinf(left):
            timeout = max(left, 0.001) if timeout is None else min(timeout, max(left, 0.001))
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:
                self.pgconn.finish()  # in the midst of an answer: nobody can go on with it
            raise

    def send(self, statements: Iterable[Statement]) -> list[list[Row]]:
        """Run statements in one round trip; the rows of each.

        They are one transaction, unless they begin or end one themselves. Their values are put into the text
        on this side, quoted as the server wants it: one message and one reply cost half the CPU of a
        pipeline, and the server plans each statement anew either way. Raises `psycopg.Error`.
        """
        if self._binding is None:
            self._binding = psycopg.ClientCursor(self)
        bind = self._binding.mogrify
        text = ";".join(bind(query, values) if values else query for query, values in statements)
        cursor = self.execute(text.encode())
        results = []
        while True:
            results.append(cursor.fetchall() if cursor.description else [])
            if not cursor.nextset():
                return results

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All waits of the block end after so long, together."""
        self.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self.deadline = math.inf


def connect(server: PostgresServer, within: int = CONNECT_WITHIN) -> PostgresConnection:
    """A connection on which every statement commits by itself. Raises `psycopg.Error`, `StoreError`.

    Each address of the server may take `within` seconds, at least 2; the URL may only ask for less.
    """
    # Its warnings quote errors, and those quote rows and addresses.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    parameters = server.parameters
    asked = int(parameters.get("connect_timeout") or 0)
    parameters["connect_timeout"] = str(min(asked, within) if asked > 0 else within)
    connection = PostgresConnection.connect(**parameters, autocommit=True, prepare_threshold=None)
    register_text(connection)
    return connection


def crosses_network_in_the_clear(connection: psycopg.Connection[Any]) -> bool:
    """Whether others on the way can read what people say."""
    host = connection.info.hostaddr or connection.info.host
    return not (connection.pgconn.ssl_in_use or is_this_machine(host))


@contextmanager
def operator_connection(server: PostgresServer) -> Iterator[PostgresConnection]:
    """A connection for a command of the operator's; every error of it is a `StoreError` in words."""
    try:
        connection = connect(server)
        try:
            yield connection
        finally:
            connection.close()
    except psycopg.Error as error:
        raise StoreError(f"the database {server.label} cannot be used: {errors.reason(error)}") from None


DLE = "\x10"
"""Data link escape: what a sender puts before what would otherwise be taken for a control character."""

_ESCAPED = re.compile(f"{DLE}(.)", re.DOTALL)


def escaped(text: str) -> str:
    """`text` as PostgreSQL can store it: UTF-8 without U+0000.

    A NUL is stored as DLE and `@`, a DLE as two of them. Half a surrogate pair becomes U+FFFD, as everywhere
    in the store.
    """
    if "\0" in text or DLE in text:
        text = text.replace(DLE, DLE + DLE).replace("\0", f"{DLE}@")
    return well_formed(text)


def restored(text: str) -> str:
    """The reverse."""
    return _ESCAPED.sub(lambda found: "\0" if found[1] == "@" else found[1], text) if DLE in text else text


class _TextDumper(Dumper):
    """Without a type: the server takes the one that the statement asks for."""

    def dump(self, obj: Any) -> Buffer | None:
        return escaped(obj).encode()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return restored(bytes(data).decode("utf-8", "replace"))


def register_text(connection: AdaptContext) -> None:
    """Convert every text that goes through that connection: in one place, so that nobody can forget it."""
    connection.adapters.register_dumper(str, _TextDumper)
    connection.adapters.register_loader("text", _TextLoader)
