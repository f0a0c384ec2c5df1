"""Every store that there is, for the tests that all of them must pass."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from discordianai.conversations.opening import open_store
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import Store
from tests.conversations.builders import DATABASE
from tests.doubles.store import MemoryStore
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresDatabase

Opener = Callable[[ConversationOptions], AbstractAsyncContextManager[Store]]
"""Opens the test's store, again and again, each time as another process would. One at a time."""

Make = Callable[[pytest.FixtureRequest], Opener]


def in_memory(_request: pytest.FixtureRequest) -> Opener:
    """The double."""
    kept: list[MemoryStore] = []

    @asynccontextmanager
    async def opened(options: ConversationOptions) -> AsyncIterator[Store]:
        if not kept:
            kept.append(MemoryStore(options))
        kept[0].restart()
        yield kept[0]

    return opened


def in_file(request: pytest.FixtureRequest) -> Opener:
    """SQLite."""
    folder: Path = request.getfixturevalue("tmp_path")
    return lambda options: open_store(replace(options, database=str(folder / DATABASE)))


def in_file_without_cache(request: pytest.FixtureRequest) -> Opener:
    """SQLite, read for each answer."""
    opened = in_file(request)
    return lambda options: opened(replace(options, cache_megabytes=0))


def on_server(request: pytest.FixtureRequest) -> Opener:
    """PostgreSQL."""
    database: PostgresDatabase = request.getfixturevalue("emptied_database")
    password = SecretStr(database.password)
    return lambda options: open_store(replace(options, database=database.url, database_password=password))


def behind_pgbouncer(request: pytest.FixtureRequest) -> Opener:
    """PostgreSQL, with another connection for each transaction."""
    bouncer: PgBouncer = request.getfixturevalue("pgbouncer_before")
    database: PostgresDatabase = request.getfixturevalue("emptied_database")
    url, password = bouncer.url_of(database.name), SecretStr(database.password)
    return lambda options: open_store(replace(options, database=url, database_password=password))


STORES: Mapping[str, Make] = {
    "memory": in_memory,
    "sqlite": in_file,
    "sqlite without a cache": in_file_without_cache,
}

SERVERS: Mapping[str, Make] = {"postgres": on_server, "pgbouncer": behind_pgbouncer}
