"""Chooses the engine of the conversation store by the setting `database`."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from discordianai.conversations import postgres_client
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.sqlite.store import open_store as open_file
from discordianai.conversations.store import Store


def open_store(
    options: ConversationOptions,
    *,
    clock: Callable[[], float] = time.time,
    ask_for_time: Callable[[], object] = lambda: None,
) -> AbstractAsyncContextManager[Store]:
    """Open the store that `options.database` names, and close it at the end. Raises `StoreError`.

    `ask_for_time` is called now and then while an older schema is migrated.
    """
    if options.url is None:
        return open_file(Path(options.database), options, clock=clock, ask_for_time=ask_for_time)
    return _open_on_server(options, clock, ask_for_time)


@asynccontextmanager
async def _open_on_server(
    options: ConversationOptions, clock: Callable[[], float], ask_for_time: Callable[[], object]
) -> AsyncIterator[Store]:
    # Here, because not everybody has installed psycopg, and others need not load it.
    with postgres_client.needed_by("[conversations] database"):
        from discordianai.conversations.postgres.connections import PostgresServer
        from discordianai.conversations.postgres.store import open_store as open_database
    server = PostgresServer(options.database, options.database_password)
    async with open_database(server, options, clock=clock, ask_for_time=ask_for_time) as store:
        yield store
