"""What the sandbox's bot has stored, in a file or in PostgreSQL; and a PostgreSQL for a benchmark."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from discordianai.cli.common import stoppable
from discordianai.sandbox.launcher import BotDatabase, Sandbox
from discordianai.sandbox.postgres_cluster import open_cluster

DATABASES = ("sqlite", "postgres")


def rows(sandbox: Sandbox, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """What a statement answers in the bot's database, with `?` for each value; nothing for a change."""
    if (database := sandbox.database) is None:
        with closing(sqlite3.connect(sandbox.file)) as file, file:
            return file.execute(statement, values).fetchall()
    with psycopg.connect(database.url, password=database.password) as connection:
        cursor = connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def opened(kind: str) -> Iterator[BotDatabase | None]:
    """A database of one of `DATABASES` while the block runs; None: the bot's own file."""
    if kind == "sqlite":
        yield None
        return
    with stoppable(), open_cluster() as cluster:
        yield BotDatabase(cluster.url, cluster.password)
