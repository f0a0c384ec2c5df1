"""Opens a database for an operator's command: a file, or one on a server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from discordianai.conversations import postgres_client
from discordianai.conversations.operator_port import Backup, Location, OperatorDatabase, Purge
from discordianai.conversations.store import StoreError


def opened(location: Location) -> AbstractContextManager[OperatorDatabase]:
    """Open it for reading; it may be of an older version. Raises `StoreError`, `OSError`."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.opened(location)
    with postgres_client.needed_by("this"):
        from discordianai.conversations.postgres import operator_database as servers
    return servers.opened(location)


def purging(location: Location, report: Callable[[int], object]) -> AbstractContextManager[Purge]:
    """Open it for a purge; one of an older version is brought up to date. Raises `StoreError`, `OSError`.

    `report` takes the schema that it is being brought to.
    """
    if isinstance(location, Path):
        from discordianai.conversations.sqlite import operator_database as files

        return files.purging(location, report)
    with postgres_client.needed_by("this"):
        from discordianai.conversations.postgres import operator_database as servers
    return servers.purging(location, report)


def backup_of(location: Location, target: Path) -> Backup:
    """What copies it. Raises `StoreError` where that is another program's work, and says which command."""
    if isinstance(location, Path):
        from discordianai.conversations.sqlite.backup import FileBackup

        return FileBackup(location)
    from discordianai.conversations.postgres.dump import instructions

    raise StoreError(instructions(location.url, target))
