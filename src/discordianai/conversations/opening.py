"""Opens a database by the engine that its kind needs: for the bot, for an operator's command, for a move."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.conversations import postgres_client
from discordianai.conversations.operator_port import (
    Backup,
    DatabaseOnServer,
    Location,
    OperatorDatabase,
    Purge,
)
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import Store, StoreError

if TYPE_CHECKING:
    from discordianai.conversations.moving.port import Source, Target

# The engines are imported where they are needed: not everybody has installed psycopg, and a command that only
# reads a file starts faster without the store of the running bot.


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
        from discordianai.conversations.sqlite.store import open_store as open_file

        return open_file(Path(options.database), options, clock=clock, ask_for_time=ask_for_time)
    return _open_on_server(options, clock, ask_for_time)


@asynccontextmanager
async def _open_on_server(
    options: ConversationOptions, clock: Callable[[], float], ask_for_time: Callable[[], object]
) -> AsyncIterator[Store]:
    with postgres_client.needed_by("[conversations] database"):
        from discordianai.conversations.postgres.connections import PostgresServer
        from discordianai.conversations.postgres.store import open_store as open_database
    server = PostgresServer(options.database, options.database_password)
    async with open_database(server, options, clock=clock, ask_for_time=ask_for_time) as store:
        yield store


def open_for_reading(location: Location) -> AbstractContextManager[OperatorDatabase]:
    """Open it for reading; it may be of an older version. Raises `StoreError`, `OSError`."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.opened(location)
    with postgres_client.needed_by("this"):
        from discordianai.conversations.postgres import operator_database as servers
    return servers.opened(location)


def open_for_purge(location: Location, report: Callable[[int], object]) -> AbstractContextManager[Purge]:
    """Open it for a purge; one of an older version is brought up to date. Raises `StoreError`, `OSError`.

    `report` takes the schema that it is being brought to.
    """
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.purging(location, report)
    with postgres_client.needed_by("this"):
        from discordianai.conversations.postgres import operator_database as servers
    return servers.purging(location, report)


@contextmanager
def open_for_move(origin: Location, destination: Location) -> Iterator[tuple["Source", "Target"]]:
    """Open both ends of a move, which nobody else uses meanwhile. Raises `StoreError`, `OSError`."""
    if isinstance(origin, Path) and isinstance(destination, Path):
        raise StoreError("both are files: copy the database with `discordianai backup FILE`")
    if isinstance(origin, DatabaseOnServer) and isinstance(destination, DatabaseOnServer):
        raise StoreError("both are PostgreSQL databases: `discordianai backup FILE` says how to copy one")
    with postgres_client.needed_by("one of them"):
        from discordianai.conversations.postgres import move_ends as servers
        from discordianai.conversations.sqlite import move_ends as files
    if isinstance(origin, Path):
        assert isinstance(destination, DatabaseOnServer)  # noqa: S101  # see above
        with (
            files.source(origin) as source,
            servers.target(destination, source.identifier_key) as target,
        ):
            yield source, target
    else:
        assert isinstance(destination, Path)  # noqa: S101  # see above
        with (
            servers.source(origin) as source,
            files.target(destination, source.identifier_key, source.newest_turn()) as target,
        ):
            yield source, target


def backup_of(location: Location, target: Path) -> Backup:
    """What copies it. Raises `StoreError` where that is another program's work, and says which command."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite.backup import FileBackup

        return FileBackup(location)
    from discordianai.conversations.postgres.dump import instructions

    raise StoreError(instructions(location.url, target))
