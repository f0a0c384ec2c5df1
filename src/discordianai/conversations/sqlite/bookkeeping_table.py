"""The key by which a person's and a conversation's identifiers for providers are made.

Discord's ids are few enough to try them all: a provider could undo a hash without a key.
"""

import secrets
import sqlite3

KEY_BYTES = 32


def fresh_key() -> bytes:
    """A key that nobody knows."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(connection: sqlite3.Connection) -> bytes | None:
    """The key of this database; None where there is none yet."""
    key: bytes | None = connection.execute("SELECT identifier_key FROM bookkeeping").fetchone()[0]
    return key


def keep_key(connection: sqlite3.Connection, key: bytes) -> bytes:
    """Keep `key`, where there is none yet; the one that counts."""
    row = connection.execute(
        "UPDATE bookkeeping SET identifier_key = coalesce(identifier_key, ?) RETURNING identifier_key", (key,)
    ).fetchone()
    kept: bytes = row[0]
    return kept
