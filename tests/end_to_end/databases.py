"""Where the bot of an end-to-end test stores: in a SQLite file, in PostgreSQL, or in one after the other.

A module whose tests are to run on both has `pytestmark = on_both_databases`; its bots are those of the
fixture `stage`, or take the fixture `database`. Tests that start a bot of their own stay on SQLite.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from discordianai.sandbox.launcher import BotDatabase
from tests.postgres import new_database

on_both_databases = pytest.mark.on_both_databases
"""PostgreSQL's turn comes in `make test-all`, and with `pooled=True` another through PgBouncer in transaction
mode."""


only_on_sqlite = pytest.mark.only_on_sqlite
"""For a test of such a module that is about the file."""


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Have a test with that mark run on each engine."""
    mark = metafunc.definition.get_closest_marker("on_both_databases")
    if mark is None or "engine" not in metafunc.fixturenames:
        return
    engines = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
    if mark.kwargs.get("pooled"):
        engines.append(pytest.param("pgbouncer", marks=pytest.mark.postgres))
    if metafunc.definition.get_closest_marker("only_on_sqlite"):
        engines = engines[:1]
    metafunc.parametrize("engine", engines, indirect=True, scope="module")


@contextmanager
def opened(engine: str, request: pytest.FixtureRequest) -> Iterator[BotDatabase | None]:
    """An empty database of that kind for a bot; None: its own file."""
    if engine == "sqlite":
        yield None
        return
    with new_database(request.getfixturevalue("postgres_cluster")) as database:
        url = database.url
        if engine == "pgbouncer":
            url = request.getfixturevalue("pgbouncer_before").url_of(database.name)
        yield BotDatabase(url, database.password)
