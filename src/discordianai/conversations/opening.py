"""Chooses the engine of the conversation store by the setting `database`."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite.store import open_store as open_file
from discordianai.conversations.store import Store, StoreError

if TYPE_CHECKING:
    from discordianai.conversations.postgres.connections import Secret

SCHEMES = ("postgresql://", "postgres://")

NO_DRIVER = (
    "[conversations] database is on PostgreSQL, which needs psycopg; install it with"
    " pip install 'discordianai[postgres]'"
)


def on_postgres(database: str) -> bool:
    """Whether that is a server's address, and not the name of a file."""
    return database.startswith(SCHEMES)


def open_store(
    options: ConversationOptions,
    *,
    password: "Secret | None" = None,
    clock: Callable[[], float] = time.time,
    ask_for_time: Callable[[], object] = lambda: None,
) -> AbstractAsyncContextManager[Store]:
    """Open the store that `options.database` names, and close it at the end. Raises `StoreError`.

    `password` is for a server. `ask_for_time` is called every few seconds while an older schema is migrated.
    """
    if not on_postgres(options.database):
        return open_file(Path(options.database), options, clock=clock, ask_for_time=ask_for_time)
    return _open_postgres(options, password, clock, ask_for_time)


@asynccontextmanager
async def _open_postgres(
    options: ConversationOptions,
    password: "Secret | None",
    clock: Callable[[], float],
    ask_for_time: Callable[[], object],
) -> AsyncIterator[Store]:
    try:
        from discordianai.conversations.postgres.connections import Server
        from discordianai.conversations.postgres.store import open_store as open_database
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise StoreError(NO_DRIVER) from None
    server = Server(options.database, password)
    async with open_database(server, options, clock=clock, ask_for_time=ask_for_time) as store:
        yield store
