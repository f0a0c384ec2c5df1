"""A PostgreSQL database: what the settings say of it, and with `--online` what the server says."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from discordianai.conversations import postgres_client
from discordianai.conversations.database_url import DatabaseUrl
from discordianai.operations.checks.findings import Finding, fatal, ok, problem, warning

if TYPE_CHECKING:
    from discordianai.conversations.postgres.inspection import PostgresInspection

SUBJECT = "database"

ENOUGH_CONNECTIONS = 10
"""That are free for this user: as many as a bot may open, and some for its operator."""

MEGABYTE = 2**20


def look(url: DatabaseUrl) -> Iterator[Finding]:
    """What can be told without connecting."""
    if postgres_client.is_missing():
        yield fatal(
            SUBJECT, f"{url} is a PostgreSQL database, and psycopg is not installed", postgres_client.INSTALL
        )
    else:
        yield ok(SUBJECT, f"{url} is a PostgreSQL database; --online connects to it")
    yield from _encryption(url)


def _encryption(url: DatabaseUrl) -> Iterator[Finding]:
    subject = "conversations.database"
    if url.is_on_this_machine or url.ssl_mode == "verify-full":
        return
    verified = "put sslmode=verify-full after the ? of the URL, and sslrootcert=... if it needs another root"
    if not url.is_encrypted:
        found = f"sslmode={url.ssl_mode} may send what people say unencrypted to another machine"
        yield warning(subject, found, verified, ssl_mode=url.ssl_mode)
    else:
        found = f"sslmode={url.ssl_mode} encrypts, but does not check the name of the server"
        yield warning(subject, found, verified, ssl_mode=url.ssl_mode)


def judge(found: "PostgresInspection", url: DatabaseUrl, seconds: float) -> Iterator[Finding]:
    """What the figures of a server mean."""
    size = found.size // MEGABYTE
    yield ok(
        SUBJECT,
        f"PostgreSQL {found.version}, the database has {size:,} MB, asking took {seconds:.2f} s",
        version=found.version,
        size=found.size,
        seconds=round(seconds, 3),
    )
    yield from _server(found, url)
    yield from _role(found)
    yield from _schema(found)
    yield _connections(found)
    running = ", ".join(map(str, found.bots)) or "none"
    yield ok("bot", f"running on the database: {running}", running=len(found.bots))


def _server(found: "PostgresInspection", url: DatabaseUrl) -> Iterator[Finding]:
    if found.major < (oldest := postgres_client.OLDEST_SERVER):
        yield problem(SUBJECT, f"PostgreSQL {found.version} is too old", f"{oldest} or newer is needed")
    if found.encoding != "UTF8":
        yield problem(SUBJECT, f"its encoding is {found.encoding}", "create a database with ENCODING 'UTF8'")
    if found.read_only:
        yield problem(
            SUBJECT, "this server takes no writes: it is a standby, or read-only", "name the primary"
        )
    if not found.durable:
        yield warning(
            SUBJECT,
            "it may lose what it has acknowledged: fsync, full_page_writes or synchronous_commit is off",
            "turn all three on: a question counts as protected once it is committed",
        )
    if not found.encrypted and not url.is_on_this_machine:
        yield problem(
            SUBJECT, "the connection crosses a network unencrypted", "sslmode=verify-full in the URL"
        )
    if found.pooled:
        yield ok("pooler", "a pooler such as PgBouncer is between: transaction mode is enough", pooled=True)


def _role(found: "PostgresInspection") -> Iterator[Finding]:
    subject = "database role"
    if found.superuser:
        yield warning(
            subject,
            f"{found.role} is a superuser, who may do far more than the bot needs",
            "give the bot a role that only owns its database",
        )
    elif not found.may_create and found.schema < found.newest_schema:
        yield problem(
            subject,
            f"{found.role} may not create tables",
            f"make it the owner: ALTER DATABASE ... OWNER TO {found.role}",
        )
    else:
        yield ok(subject, f"{found.role} has the rights that the bot needs, and is no superuser")


def _schema(found: "PostgresInspection") -> Iterator[Finding]:
    figures = {"schema": found.schema, "newest": found.newest_schema}
    if found.unusable:
        yield problem(SUBJECT, found.unusable, "")
    elif not found.schema:
        yield ok(SUBJECT, "it has no tables yet: the bot creates them at its first start", **figures)
    elif found.schema < found.newest_schema:
        words = f"it has schema {found.schema}: the next start brings it to {found.newest_schema}"
        yield ok(SUBJECT, words, **figures)
    else:
        yield ok(SUBJECT, f"it has schema {found.schema}", **figures)


def _connections(found: "PostgresInspection") -> Finding:
    most, in_use = found.connections.most, found.connections.in_use
    words = f"{in_use} of {most} connections that this role can have are in use"
    if most - in_use < ENOUGH_CONNECTIONS:
        advice = "raise max_connections (or the limit of the role or the database), or put PgBouncer in front"
        return warning("connections", words, advice, most=most, in_use=in_use)
    return ok("connections", words, most=most, in_use=in_use)
