"""On a server, too, people get all that is stored about them, and all of it goes when they say so."""

import json
from collections.abc import Mapping

import psycopg

from discordianai.conversations.postgres.migrations import TABLES
from tests.conversations.postgres.scene import opened
from tests.postgres import PostgresDatabase
from tests.security.test_own_data import EVERYTHING, MINE, THEIRS, lines_of, live

DECISIONS: Mapping[str, Mapping[str, str]] = {
    "turns": {EVERYTHING: "exported", "id": "the place of the line"},
    "questions": {
        EVERYTHING: "exported",
        "token": "lets its holder write as the bot, and says nothing about the person",
        "owner": "of the process that answers",
        "claim": "of the process that answers",
        "finished_at": "an open one is not finished",
    },
    "usage": {EVERYTHING: "exported"},
    "forgotten": {EVERYTHING: "exported"},
    "channels": {EVERYTHING: "exported"},
    "guilds": {EVERYTHING: "of no person"},
    "processes": {EVERYTHING: "of no person"},
    "bookkeeping": {EVERYTHING: "of no person"},
}
"""What is done with each table of the schema, and with columns that are treated differently."""

IN_A_LINE = {
    "turns": "turn",
    "questions": "open question",
    "usage": "usage",
    "forgotten": "forgotten",
    "channels": "setting",
}
NAMES = {
    "turns": {"conversation_person_id": "shared", "conversation_channel_id": "channel_id"},
}
"""Columns that have another name in a line."""


async def test_each_column_of_each_table_is_exported_or_has_a_reason_not_to_be(
    postgres_database: PostgresDatabase,
) -> None:
    """A new table without a decision fails here; so does a new column that the export leaves out."""
    async with opened(postgres_database) as store:
        await live(store, MINE, "mine")
        await store.forget(MINE)
        await live(store, MINE, "mine", 3)  # so that there is something in `forgotten`, too
        lines = await lines_of(store, MINE)
    columns = columns_of(postgres_database)
    assert columns.keys() == DECISIONS.keys() == set(TABLES)
    for table, names in columns.items():
        decision = DECISIONS[table]
        if decision[EVERYTHING] != "exported":
            continue
        told = [line for line in lines if line["kind"] == IN_A_LINE[table]]
        assert told, table
        expected = {NAMES.get(table, {}).get(name, name) for name in names if name not in decision}
        for line in told:
            assert expected <= line.keys(), table


def columns_of(database: PostgresDatabase) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with psycopg.connect(database.url, password=database.password) as connection:
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            found.setdefault(table, set()).add(column)
    return found


async def test_the_words_of_a_person_are_all_there_and_nobody_elses_and_forgotten_they_are_nowhere(
    postgres_database: PostgresDatabase,
) -> None:
    """In no row of any table; what it cost stays, under nobody's name as soon as the day is over."""
    async with opened(postgres_database) as store:
        await live(store, MINE, "mine")
        await live(store, THEIRS, "theirs", 3)
        text = json.dumps(await lines_of(store, MINE))
        for words in ("said", "told", "asked", "quoted", "so far", "persona"):
            assert f"mine {words}" in text
        assert "theirs" not in text
        assert "token-" not in text
        removed = await store.forget(MINE)
        assert (removed.turns, removed.erased) == (2, None)
    everything = rows(postgres_database)
    for words in ("mine said", "mine told", "mine asked", "mine quoted", "mine so far", "mine persona"):
        assert words not in everything
    assert "theirs said" in everything
    assert "token-1" not in everything


def rows(database: PostgresDatabase) -> str:
    """All that the tables hold."""
    return "\n".join(database.sql(f"SELECT t::text FROM {table} AS t") for table in TABLES)  # noqa: S608  # our own
