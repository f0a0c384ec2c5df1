"""The SQL of the one row of bookkeeping."""

from discordianai.conversations.postgres import processes_table
from discordianai.conversations.postgres.batches import Batch, first_value


def changes() -> Batch:
    """How often something was changed that processes keep in memory, and the server's time."""
    return Batch(
        ((f"SELECT changes, {processes_table.SERVER_TIME} FROM bookkeeping", {}),), lambda rows: rows[0]
    )


def identifier_key() -> Batch:
    """The key of the identifiers that providers receive; None if there is none yet.

    Discord's ids are few enough to try them all: a provider could undo a hash without a key.
    """
    return Batch((("SELECT identifier_key FROM bookkeeping", {}),), first_value)


def set_identifier_key(key: bytes) -> Batch:
    """Store `key` unless there is one; the key that is stored then."""
    statement = (
        "UPDATE bookkeeping SET identifier_key = coalesce(identifier_key, %(key)s) RETURNING identifier_key"
    )
    return Batch(((statement, {"key": key}),), first_value)
