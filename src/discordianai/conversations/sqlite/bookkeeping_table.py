"""The SQL of the one row of bookkeeping. Each function runs in a transaction of its caller's."""

import sqlite3


def complete(connection: sqlite3.Connection) -> None:
    """Make the row anew where a fault of the disk has removed it; all that is lost are counters and a key."""
    if connection.execute("SELECT 1 FROM bookkeeping").fetchone() is None:
        connection.execute("INSERT INTO bookkeeping (id, purges, probes) VALUES (1, 0, 0)")


def probe(connection: sqlite3.Connection) -> None:
    """Change an unused value, to see whether the file accepts writes."""
    connection.execute("UPDATE bookkeeping SET probes = probes + 1")


def count_purge(connection: sqlite3.Connection) -> None:
    """An operator removed something: a running bot must drop its cache and empty its log."""
    connection.execute("UPDATE bookkeeping SET purges = purges + 1")


def purges(connection: sqlite3.Connection) -> int:
    """How many purges there have been."""
    (count,) = connection.execute("SELECT purges FROM bookkeeping").fetchone()
    return int(count)


def identifier_key(connection: sqlite3.Connection) -> bytes | None:
    """The key of the identifiers that providers receive; None if there is none yet.

    Discord's ids are few enough to try them all: a provider could undo a hash without a key.
    """
    key: bytes | None = connection.execute("SELECT identifier_key FROM bookkeeping").fetchone()[0]
    return key


def set_identifier_key(connection: sqlite3.Connection, key: bytes) -> bytes:
    """Store `key` unless there is one; the key that is stored then."""
    row = connection.execute(
        "UPDATE bookkeeping SET identifier_key = coalesce(identifier_key, ?) RETURNING identifier_key", (key,)
    ).fetchone()
    stored: bytes = row[0]
    return stored
