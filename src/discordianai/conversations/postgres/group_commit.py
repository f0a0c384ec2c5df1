"""One durable transaction for all writes that wait. Synchronous.

The statements of the whole group are sent in one go, and so is their end: two round trips. Where one of them
fails, the transaction is rolled back, and each write is tried in one of its own.

A connection that is lost before COMMIT was sent has changed nothing: the group is tried once more on a new
one. Lost afterwards, nobody knows. So each transaction writes its number into this process's row: a new
connection reads it, waiting where the old one still holds the row, and then it is known for certain, also on
a server that took the place of the former one. (`pg_xact_status` is unreliable after a failover: the new
server gives the number of a transaction that it never got to another one.)
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from discordianai.conversations.engine.errors import ErrorKind
from discordianai.conversations.engine.writer import WriteOutcome
from discordianai.conversations.postgres import errors
from discordianai.conversations.postgres.batches import Batch, Statement
from discordianai.conversations.postgres.connections import PostgresConnection
from discordianai.conversations.postgres.processes_table import OwnRow
from discordianai.conversations.store import StoreError

WRITE_WITHIN = 8.0
"""Seconds for a transaction; a group of 128 writes takes a tenth of one on a busy server."""

DECIDE_WITHIN = 6.0

BEGIN: LiteralString = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Whatever the operator has set: a statement that waited for another process has to see what that did."""

LIMITS: LiteralString = """
    SELECT set_config('statement_timeout', '6s', true), set_config('lock_timeout', '3s', true),
        set_config('idle_in_transaction_session_timeout', '10s', true),
        set_config('synchronous_commit', CASE current_setting('synchronous_commit')
            WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
"""
"""For this transaction alone. Where the bot vanishes in the midst of one, the server soon ends it. What was
promised is durable, whatever the operator has set for the rest."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A transaction of which nobody knows whether it was committed, and what it comes to if it was."""

    batch: int
    outcomes: Sequence[WriteOutcome]


@dataclass(frozen=True, slots=True)
class Failed:
    """A transaction that changed nothing."""

    error: Exception

    @property
    def next_may_succeed(self) -> bool:
        """False where each further write would wait in vain for the same thing, for example."""
        return errors.kind_of(self.error) is ErrorKind.STATEMENT or errors.only_this_transaction(self.error)


@dataclass(slots=True)
class GroupCommit:
    """Writes on a connection of its own. For one thread at a time."""

    connect: Callable[[], PostgresConnection]
    own: OwnRow
    batch: int = 0
    _connection: PostgresConnection | None = field(default=None, repr=False)

    def commit(self, group: Sequence[Batch]) -> Sequence[WriteOutcome] | Doubt | Failed:
        """Commit all in one transaction. Raises nothing."""
        try:
            return self._commit(group)
        except (psycopg.Error, OSError, StoreError) as error:
            if isinstance(error, psycopg.Error) and error.sqlstate is not None:
                error.args = (errors.reason(error),)  # its own text quotes rows, and may be logged with a bug
            return Failed(error)
        except Exception as bug:  # whoever wrote it learns of it; the others are tried without
            self.close()
            return Failed(bug)

    def decide(self, doubt: Doubt) -> bool:
        """Whether that transaction was committed. Raises `psycopg.Error` while that cannot be known."""
        connection = self._open()
        with connection.within(DECIDE_WITHIN):
            try:
                *_, rows = connection.send(((LIMITS, {}), (self.own.last_batch(), {})))
            except psycopg.Error:
                self.close()
                raise
        return int(rows[0][0]) >= doubt.batch

    def close(self) -> None:
        """Close the connection; the next write opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> PostgresConnection:
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
        return self._connection

    def _commit(self, group: Sequence[Batch]) -> Sequence[WriteOutcome] | Doubt:
        used, began = self._connection is not None, time.monotonic()
        try:
            outcomes = self._run(group)
        except psycopg.Error as error:
            # Lost while nobody used it, or now. One that said nothing until the end would do so again.
            if not (used and errors.lost_connection(error) and time.monotonic() - began < WRITE_WITHIN):
                raise
            outcomes = self._run(group)
        return self._end(outcomes)

    def _run(self, group: Sequence[Batch]) -> Sequence[WriteOutcome]:
        """Everything but COMMIT."""
        connection = self._open()
        self.batch += 1
        begin: Sequence[Statement] = ((f"{BEGIN};{LIMITS};{self.own.renew(self.batch)}", {}),)
        statements = [statement for one in group for statement in one.statements]
        try:
            with connection.within(WRITE_WITHIN):
                results = connection.send((*begin, *statements))
        except psycopg.Error as error:
            self._roll_back(error)
            raise
        outcomes, number = [], 3
        for one in group:
            number += len(one.statements)
            outcomes.append(_outcome(one, results[number - 1] if one.statements else []))
        return outcomes

    def _end(self, outcomes: Sequence[WriteOutcome]) -> Sequence[WriteOutcome] | Doubt:
        connection = self._open()
        try:
            with connection.within(WRITE_WITHIN):
                connection.execute("COMMIT")
        except psycopg.Error as error:
            self.close()
            if errors.lost_connection(error):
                return Doubt(self.batch, outcomes)
            raise
        return outcomes

    def _roll_back(self, error: psycopg.Error) -> None:
        connection = self._connection
        if connection is None or errors.lost_connection(error):
            self.close()
            return
        try:
            with connection.within(1.0):
                connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()


def _outcome(batch: Batch, rows: Sequence[tuple[object, ...]]) -> WriteOutcome:
    try:
        return WriteOutcome(batch.result(rows))
    except StoreError as refused:
        return WriteOutcome(error=refused)
