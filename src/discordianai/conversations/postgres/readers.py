"""A pool of connections for reads, each of which has an end.

A list of connections and a limiter of the same size are all that a pool needs here: calls come from trio's
worker threads, one for each token of the limiter. (psycopg_pool brings threads of its own, which reconnect
beside ours, and log the server's error texts.)
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
import trio

from discordianai.conversations.postgres import errors
from discordianai.conversations.postgres.batches import Batch, Row
from discordianai.conversations.postgres.connections import PostgresConnection

READERS = 4
"""Reads at the same time."""

READ_WITHIN = 2.0
"""Seconds: an answer waits no longer for what was said before."""

LEAST = 0.5
"""Seconds for a query where connecting took all the time there was."""

LIMITS: LiteralString = "SELECT set_config('statement_timeout', %(most)s::text, true)"
"""For the transaction that the statements sent together are. Without it, a reader whose table is locked stays
at the server when the bot has long given up, and they add up."""


class PostgresReaders:
    """`connect` opens one more connection."""

    def __init__(self, connect: Callable[[], PostgresConnection]) -> None:
        self._connect = connect
        self._slots = trio.CapacityLimiter(READERS)
        self._free: list[PostgresConnection] = []

    async def run(self, query: Batch, within: float) -> Any:  # what its `result` gives
        """Run `query` in a thread, which ends within so many seconds, and those to connect.

        Raises `psycopg.Error`, `OSError`, `StoreError`, and `trio.TooSlowError` where no connection becomes
        free in time.
        """
        with trio.move_on_after(within):
            return await trio.to_thread.run_sync(self._read, query, within, limiter=self._slots)
        raise trio.TooSlowError

    def _read(self, query: Batch, within: float) -> Any:
        until = time.monotonic() + within
        with suppress(IndexError):
            connection = self._free.pop()
            try:
                return self._read_on(connection, query, within)
            except psycopg.Error as error:
                # Lost while nobody used it, or now: there may be time for a new one.
                if not errors.lost_connection(error) or time.monotonic() > until:
                    raise
        connection = self._connect()
        return self._read_on(connection, query, max(until - time.monotonic(), LEAST))

    def _read_on(self, connection: PostgresConnection, query: Batch, within: float) -> Any:
        try:
            rows = run(connection, query, within)
        except BaseException:
            connection.close()  # whatever was half read of it
            raise
        self._free.append(connection)
        return query.result(rows)

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._free:
            self._free.pop().close()


def run(connection: PostgresConnection, query: Batch, within: float) -> Sequence[Row]:
    """The rows of the last statement, within so many seconds. Raises `psycopg.Error`."""
    with connection.within(within):
        return connection.send(((LIMITS, {"most": round(within * 1000)}), *query.statements))[-1]
