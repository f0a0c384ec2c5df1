"""Who uses the database: one row for each process, whose lease the process renews. The clock is the server's.

A process that ends takes its row away. One that was killed, or is cut off from the database, counts as living
until its lease is over.
"""

import os
import secrets
import socket
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection

from discordianai.conversations.postgres.batches import Batch, first_value

LEASE = 8.0
"""Seconds for which a process owns its questions without a sign of life."""

RENEWED_EVERY = 2.0
"""Seconds between two signs of life."""

RENEW = """
    INSERT INTO processes (id, batch, expires_at, host, pid)
    VALUES (%(process)s, %(batch)s, clock_timestamp() + %(lease)s * interval '1 second', %(host)s, %(pid)s)
    ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, expires_at = excluded.expires_at
"""
"""In every transaction of a process."""

REGISTER = """
    INSERT INTO processes (id, batch, expires_at, host, pid)
    VALUES (%(process)s, %(batch)s, clock_timestamp() + %(lease)s * interval '1 second', %(host)s, %(pid)s)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
"""
"""Before the first transaction, and again when the database is back: the number of the last one stays."""


@dataclass(frozen=True, slots=True)
class LivingProcess:
    """A bot that uses the database now, as its system knows it; `since` is in seconds since the epoch."""

    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def leave(process: int) -> Batch:
    """The process ends: what it owns is free."""
    return Batch((("DELETE FROM processes WHERE id = %(process)s RETURNING 1", {"process": process}),))


def sweep() -> Batch:
    """Remove the rows of processes that have been dead for long; how many."""
    statement: LiteralString = (
        "WITH gone AS (DELETE FROM processes WHERE expires_at < clock_timestamp() - interval '7 days'"
        " RETURNING 1) SELECT count(*) FROM gone"
    )
    return Batch(((statement, {}),), first_value)


def living(connection: Connection[Any]) -> tuple[LivingProcess, ...]:
    """The bots that use the database, the oldest first."""
    rows = connection.execute(
        "SELECT host, pid, extract(epoch FROM started_at)::double precision FROM processes"
        " WHERE expires_at > clock_timestamp() ORDER BY started_at"
    )
    return tuple(LivingProcess(*row) for row in rows)


def sign_of_life(process: int, batch: int) -> dict[str, object]:
    """The parameters of `RENEW`."""
    return {
        "process": process,
        "batch": batch,
        "lease": LEASE,
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


def new_id() -> int:
    """An id that no other process has: at random, so that it is known before there is a connection, and that
    a server which lost the latest commits in a failover does not give it to another one."""
    return secrets.randbits(62)
