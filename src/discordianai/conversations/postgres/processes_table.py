"""Who uses the database: one row for each process, whose lease the process renews. The clock is the server's.

A process that ends takes its row away. One that was killed, or is cut off from the database, counts as living
until its lease is over.
"""

import os
import socket
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

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

LEAVE = "DELETE FROM processes WHERE id = %(process)s"

SWEEP = "DELETE FROM processes WHERE expires_at < clock_timestamp() - interval '1 day'"


@dataclass(frozen=True, slots=True)
class LivingProcess:
    """A bot that uses the database now, as its system knows it; `since` is in seconds since the epoch."""

    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def living(connection: Connection[Any]) -> tuple[LivingProcess, ...]:
    """The bots that use the database, the oldest first."""
    rows = connection.execute(
        "SELECT host, pid, extract(epoch FROM started_at)::double precision FROM processes"
        " WHERE expires_at > clock_timestamp() ORDER BY started_at"
    )
    return tuple(LivingProcess(*row) for row in rows)


def own_name() -> tuple[str, int]:
    """The host's name and the id of this process."""
    return socket.gethostname(), os.getpid()
