"""A store on a server, as the tests of this folder open it: directly, or through a relay."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import trio
from pydantic import SecretStr

from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.postgres.connections import PostgresServer
from discordianai.conversations.postgres.maintenance import PostgresMaintenanceSchedule
from discordianai.conversations.postgres.store import PostgresStore, open_store
from tests.postgres import PostgresDatabase

QUICK = PostgresMaintenanceSchedule(sign_of_life=0.1, retry=0.05, retention=0.05, step=0.001, vacuum=0.05)
QUIET = PostgresMaintenanceSchedule(retry=0.05, retention=600, vacuum=600)
"""Nothing is removed that a test does not ask for."""


def server_of(database: PostgresDatabase, port: int | None = None, password: str = "") -> PostgresServer:
    """Where the database is, through another `port` where there is one."""
    url = database.url if port is None else database.through(port)
    return PostgresServer(url, SecretStr(password or database.password))


def opened(
    database: PostgresDatabase,
    port: int | None = None,
    options: ConversationOptions | None = None,
    *,
    pace: PostgresMaintenanceSchedule = QUIET,
    password: str = "",
) -> AbstractAsyncContextManager[PostgresStore]:
    """The store of that database."""
    return open_store(server_of(database, port, password), options, pace=pace)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that the maintenance does."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # health is asked for, it tells nobody
            await trio.sleep(0.01)
