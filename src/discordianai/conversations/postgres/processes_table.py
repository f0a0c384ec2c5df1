"""Who uses the database: one row for each process, whose lease the process renews. The clock is the server's.

A process that ends takes its row away. One that was killed, or is cut off from the database, counts as living
until its lease is over.
"""

import math
import os
import re
import secrets
import socket
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection

from discordianai.conversations.postgres.batches import Batch, first_value

LEASE = 6.0
"""Seconds for which a process owns its questions without a sign of life."""

RENEWED_EVERY = 2.0
"""Seconds between two signs of life."""

SERVER_TIME: LiteralString = "extract(epoch FROM clock_timestamp())::double precision"
"""In seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class OwnRow:
    """The row of this process.

    `process` is at random, so that it is known before there is a connection, and that a server which lost the
    latest commits in a failover does not give it to another process.
    """

    process: int
    host: str
    pid: int

    @classmethod
    def new(cls) -> "OwnRow":
        """For a process that begins."""
        return cls(secrets.randbits(62), re.sub(r"[^\w.-]", "", socket.gethostname()), os.getpid())

    def register(self) -> str:
        """Before the first transaction, and again when the database is back; the server's time.

        `batch` stays as it was.
        """
        return f"{self._upsert(0)} RETURNING {SERVER_TIME}"

    def last_batch(self) -> str:
        """The number of its last transaction that was committed, once none of it is in the midst of one.

        Not by SELECT: that would not wait for a transaction which brings the row in.
        """
        return f"{self._upsert(0)} RETURNING batch"

    def renew(self, batch: int) -> str:
        """In every transaction of the process, which counts them. Written out: nothing is to be quoted."""
        return f"{self._upsert(batch)}, batch = excluded.batch"

    def _upsert(self, batch: int) -> str:
        return (
            f"INSERT INTO processes (id, batch, host, pid, expires_at) VALUES ({self.process}, {batch},"
            f" '{self.host}', {self.pid}, clock_timestamp() + interval '{LEASE} seconds')"
            " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at"
        )


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


GAP = 2 / 3
"""Of a lease: after a shorter gap all leases that were renewed in time are still valid."""


class SteadyTime:
    """Whether the server's clock has gone on steadily, so that it tells which leases have ended.

    All leases end at once while the server stands still or is away for some seconds, or when its clock is put
    forward. Those who hold them live, and renew them in a moment; whoever is the first to be back must not
    take their questions before that. So a process judges leases only as long as it could renew its own in
    time, and after a gap not before the others have had the time of a lease to renew theirs.

    On the trio thread. All times are the server's, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self._since = -math.inf
        self._last: float | None = None

    def note(self, at: float) -> None:
        """This process renewed its own lease at that time. A process that begins has no gap behind it."""
        if self._last is not None and not 0 <= at - self._last <= GAP * LEASE:
            self._since = at
        self._last = at

    def interrupt(self) -> None:
        """The server was away: what was before says nothing about the time that comes."""
        self._last = -math.inf

    @property
    def trusted_until(self) -> float:
        """Until when leases may be judged; a time long ago where they may not be yet."""
        if self._last is None or not self._last - self._since >= LEASE:
            return 0.0
        return self._last + GAP * LEASE
