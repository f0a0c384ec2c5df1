"""The store tells where its connection crosses a network in the clear."""

import psycopg
import pytest
from pydantic import SecretStr

from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.postgres import connections
from discordianai.conversations.postgres.connections import crosses_network_in_the_clear
from tests.postgres import PostgresDatabase


async def test_a_server_on_this_machine_needs_no_tls(postgres_database: PostgresDatabase) -> None:
    """Nothing leaves the machine."""
    options = ConversationOptions(postgres_database.url, SecretStr(postgres_database.password))
    async with open_store(options) as store:
        assert store.figures.engine == "PostgreSQL"
        assert not store.figures.unencrypted


def test_any_other_server_does(postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address of the connection, not by what is in the URL."""
    with psycopg.connect(postgres_database.url, password=postgres_database.password) as connection:
        assert not crosses_network_in_the_clear(connection)
        monkeypatch.setattr(connections, "is_this_machine", lambda host: host != "127.0.0.1")
        assert crosses_network_in_the_clear(connection)
