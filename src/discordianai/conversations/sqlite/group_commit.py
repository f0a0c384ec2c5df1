"""One transaction and one fsync for all writes that wait.

Each write runs in a savepoint of its own: one that fails is rolled back alone. Where the transaction as a
whole fails, each is tried in a transaction of its own, so that one that is too large for a full disk takes no
other with it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.sqlite.connections import transaction
from discordianai.conversations.sqlite.errors import code, kind_of

Statements = Callable[[sqlite3.Connection], Any]
"""Runs inside a transaction, perhaps twice; changes nothing but the database."""


def commit_group(connection: sqlite3.Connection, group: Sequence[Statements]) -> list[WriteOutcome]:
    """Commit all in one transaction where that is possible, else each in its own."""
    outcomes = []
    try:
        with transaction(connection):
            for statements in group:
                connection.execute("SAVEPOINT one")
                try:
                    outcomes.append(WriteOutcome(statements(connection)))
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite has rolled back everything: a full disk, an I/O error
                    connection.execute("ROLLBACK TO one")
                    outcomes.append(WriteOutcome(error=error))
                connection.execute("RELEASE one")
    except sqlite3.Error as error:
        return [WriteOutcome(error=error)] if len(group) == 1 else _commit_each(connection, group)
    return outcomes


def _commit_each(connection: sqlite3.Connection, group: Sequence[Statements]) -> list[WriteOutcome]:
    outcomes: list[WriteOutcome] = []
    for statements in group:
        (outcome,) = commit_group(connection, [statements])
        outcomes.append(outcome)
        if outcome.error is not None and not _next_may_succeed(outcome.error):
            return outcomes + [outcome] * (len(group) - len(outcomes))
    return outcomes


def _next_may_succeed(error: Exception) -> bool:
    """False where each further write would wait for the same lock in vain, for example."""
    return kind_of(error) is ErrorKind.STATEMENT or code(error) == sqlite3.SQLITE_FULL
