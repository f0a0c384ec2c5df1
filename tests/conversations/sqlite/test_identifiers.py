"""The key of the identifiers that providers are told: made once, kept, and there in every trouble."""

import sqlite3
from pathlib import Path

from discordianai.conversations.sqlite.migrations import APPLICATION_ID, STEPS
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import StoreError
from tests.conversations.builders import DATABASE, SLOW
from tests.doubles.store import MemoryStore


async def key_in(path: Path) -> bytes:
    async with open_store(path, pace=SLOW) as store:
        return await store.identifier_key()


async def test_it_is_the_same_after_a_restart_and_another_one_in_another_database(tmp_path: Path) -> None:
    """A provider knows people again tomorrow, and two bots' people are nobody to each other."""
    key = await key_in(tmp_path / DATABASE)
    assert len(key) == 32
    assert await key_in(tmp_path / DATABASE) == key
    assert await key_in(tmp_path / "other.sqlite3") != key


async def test_a_file_of_an_older_schema_gets_one(tmp_path: Path) -> None:
    """The step that adds its column makes none: the first who needs it does."""
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.executescript("".join(STEPS[:3]))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    assert await key_in(tmp_path / DATABASE) == await key_in(tmp_path / DATABASE)


async def test_while_the_database_takes_nothing_there_is_one_of_this_process(tmp_path: Path) -> None:
    """Nobody goes without an answer for it, and nobody is somebody else in the next question."""
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        with sqlite3.connect(tmp_path / DATABASE) as other:
            other.execute("ALTER TABLE bookkeeping RENAME COLUMN identifier_key TO elsewhere")
        other.close()
        key = await store.identifier_key()
        assert len(key) == 32
        assert await store.identifier_key() == key


async def test_the_fake_has_one_whatever_fails() -> None:
    """As the real one: it raises nothing."""
    store = MemoryStore()
    store.failure = StoreError("broken")
    assert await store.identifier_key() == await store.identifier_key()
    assert await store.identifier_key() != await MemoryStore().identifier_key()
