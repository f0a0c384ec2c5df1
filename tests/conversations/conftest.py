"""One database for all tests of a worker that need an empty one: to make another takes half a second."""

from collections.abc import Iterator

import psycopg
import pytest

from discordianai.conversations.postgres.migrations import TABLES
from discordianai.sandbox.postgres_cluster import Cluster
from tests.postgres import PostgresDatabase, new_database


@pytest.fixture(scope="session")
def reused_database(postgres_cluster: Cluster) -> Iterator[PostgresDatabase]:
    with new_database(postgres_cluster) as database:
        yield database


@pytest.fixture
def emptied_database(reused_database: PostgresDatabase) -> PostgresDatabase:
    """With the tables that the last test left, if any, and nothing in them."""
    with psycopg.connect(reused_database.url, password=reused_database.password) as connection:
        present = connection.execute("SELECT to_regclass('bookkeeping') IS NOT NULL").fetchone()
        if present == (True,):
            connection.execute(f"TRUNCATE {', '.join(name for name in TABLES if name != 'bookkeeping')}")
            connection.execute("UPDATE bookkeeping SET identifier_key = NULL")
    return reused_database
