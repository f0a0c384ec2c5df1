"""Opens a database for an operator's command: a file, or one on a server."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from discordianai.conversations.operator_port import Backup, Location, OperatorDatabase, Purge
from discordianai.conversations.store import StoreError

NO_DRIVER = (
    "this is a PostgreSQL database, which needs psycopg: pipx install --force 'discordianai[postgres]', or"
    " the same with pip"
)


def opened(location: Location) -> AbstractContextManager[OperatorDatabase]:
    """Open it for reading; it may be of an older version. Raises `StoreError`, `OSError`."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.opened(location)
    with driver():
        from discordianai.conversations.postgres import operator_database as servers
    return servers.opened(location)


def purging(location: Location, report: Callable[[int], object]) -> AbstractContextManager[Purge]:
    """Open it for a purge; one of an older version is brought up to date. Raises `StoreError`, `OSError`.

    `report` takes the schema that it is being brought to.
    """
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.purging(location, report)
    with driver():
        from discordianai.conversations.postgres import operator_database as servers
    return servers.purging(location, report)


def backup_of(location: Location, target: Path) -> Backup:
    """What copies it. Raises `StoreError` where that is another program's work, and says which command."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite.backup import FileBackup

        return FileBackup(location)
    from discordianai.conversations.postgres.dump import instructions

    raise StoreError(instructions(location.url, target))


@contextmanager
def driver() -> Iterator[None]:
    """Imports what needs psycopg. Raises `StoreError` where that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise StoreError(NO_DRIVER) from None
