"""A file as an operator's commands read and purge it; root's act as its owner. Synchronous."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from discordianai.conversations.operator_port import Inspection, OperatorDatabase, Purge, Report, Selection
from discordianai.conversations.sqlite import bookkeeping_table, export, files, operator_access, removal
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.privileges import acting_as_owner


@contextmanager
def opened(database: Path) -> Iterator[OperatorDatabase]:
    """See `discordianai.conversations.opening.open_for_reading`."""
    with acting_as_owner(database), operator_connection(database) as connection:
        yield FileDatabase(database, connection)


@contextmanager
def purging(database: Path, report: Callable[[int], object]) -> Iterator[Purge]:
    """See `discordianai.conversations.opening.open_for_purge`."""
    # Imported here because the bot's own half of the store takes 0.2 s, which the other commands do without.
    from discordianai.conversations.sqlite import residues
    from discordianai.conversations.sqlite.purge import FilePurge

    with acting_as_owner(database):
        operator_access.upgrade(database, report)
        with (
            residues.opened(database) as descriptor,
            operator_connection(database, write=True) as connection,
        ):
            yield FilePurge(database, connection, descriptor)


class FileDatabase:
    """See `OperatorDatabase`."""

    def __init__(self, database: Path, connection: sqlite3.Connection) -> None:
        self._database = database
        self._connection = connection

    def remarks(self) -> Iterator[str]:
        """See `OperatorDatabase.remarks`."""
        yield from files.remarks(self._database)

    def bot_is_running(self) -> bool:
        """See `OperatorDatabase.bot_is_running`."""
        return files.bot_is_running(self._database)

    def inspect(self, now: float) -> Inspection:
        """See `OperatorDatabase.inspect`."""
        return operator_access.inspect(self._connection, self._database, now)

    def count(self, selection: Selection) -> int:
        """See `OperatorDatabase.count`."""
        return removal.count(self._connection, selection)

    def exported(self, selection: Selection, report: Report) -> Iterator[str]:
        """See `OperatorDatabase.exported`."""
        yield from export.exported(self._connection, selection, report)

    def identifier_key(self) -> bytes | None:
        """See `OperatorDatabase.identifier_key`."""
        return bookkeeping_table.identifier_key(self._connection)

    def known_ids(self) -> Iterator[tuple[str, int]]:
        """See `OperatorDatabase.known_ids`."""
        yield from operator_access.known_ids(self._connection)
