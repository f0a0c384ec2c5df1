"""Conversations in one SQLite file, in WAL mode, off the trio thread.

One connection writes and one reads, each used by one thread at a time: a limiter of one token stands before
either. In WAL mode neither waits for the other.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from discordianai.conversations.store import ConversationKey, StoreError, window
from discordianai.model import Role, Turn

SCHEMA = """
CREATE TABLE IF NOT EXISTS turns (
    id         INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    person_id  INTEGER NOT NULL,
    role       TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    at         REAL    NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS turns_of_a_conversation ON turns (channel_id, person_id, id);
"""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that holds the file, a backup for example."""

Result = TypeVar("Result")


class SqliteStore:
    """The conversation store of the running bot; made by `open_store`."""

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._writing = trio.CapacityLimiter(1)
        self._reading = trio.CapacityLimiter(1)

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """See `ConversationStore.recent`."""

        def read() -> list[tuple[str, str, float]]:
            return self._reader.execute(
                "SELECT role, text, at FROM turns WHERE channel_id = ? AND person_id = ?"
                " ORDER BY id DESC LIMIT ?",
                (key.channel_id, key.person_id, limit),
            ).fetchall()

        rows = await _in_thread(read, self._reading)
        return window([Turn(Role(role), text, at) for role, text, at in reversed(rows)], limit)

    async def append(self, key: ConversationKey, turns: Sequence[Turn]) -> None:
        """See `ConversationStore.append`. It is on disk when this returns."""
        rows = [(key.channel_id, key.person_id, turn.role.value, turn.text, turn.at) for turn in turns]

        def write() -> None:
            with self._writer:  # one transaction: committed, or rolled back on an error
                self._writer.executemany(
                    "INSERT INTO turns (channel_id, person_id, role, text, at) VALUES (?, ?, ?, ?, ?)", rows
                )

        await _in_thread(write, self._writing)

    def close(self) -> None:
        """Close the file. Nothing may be running any more."""
        self._reader.close()
        self._writer.close()


async def _in_thread(call: Callable[[], Result], limiter: trio.CapacityLimiter) -> Result:
    """Run `call` in a worker thread; once begun it is waited for, so that nobody meets it half done."""
    try:
        return await trio.to_thread.run_sync(call, limiter=limiter)
    except sqlite3.Error as error:
        raise StoreError(f"the database does not answer: {error}") from error


@asynccontextmanager
async def open_store(path: Path) -> AsyncIterator[SqliteStore]:
    """Open the database, making it if it is new, and close it at the end. Raises `StoreError`."""
    try:
        store = await trio.to_thread.run_sync(_open, path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the database {path} cannot be opened: {error}") from error
    try:
        yield store
    finally:
        with trio.CancelScope(shield=True):  # an fsync at most: the file is local
            await trio.to_thread.run_sync(store.close)


def _open(path: Path) -> SqliteStore:
    # It holds what people said: nobody else on the machine reads it.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    writer = _connect(path)
    writer.executescript(SCHEMA)
    return SqliteStore(writer, _connect(path))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a stored turn survives a power cut
    return connection
