"""One task that watches the deadlines of all requests.

A cancel scope around every wait would do the same for more: it took 9 of the 14 us of CPU time that a
streamed event costs. Deadlines that move later, as nearly all do, cost nothing here.
"""

import logging
import math
from typing import Protocol

import anyio

log = logging.getLogger(__name__)


class HasDeadline(Protocol):
    """Whoever makes `deadline` earlier calls `DeadlineWatcher.reschedule`."""

    deadline: float
    """On anyio's clock; infinite while nothing is awaited."""

    def deadline_passed(self) -> None:
        """Called once the deadline has passed."""


class DeadlineWatcher:
    """Calls `deadline_passed` of each of `watched` in time."""

    def __init__(self) -> None:
        self.watched: set[HasDeadline] = set()
        self._wake_at = math.inf
        self._earlier = anyio.Event()

    def reschedule(self, deadline: float) -> None:
        """Wake up for this deadline, if it is earlier than the others."""
        if deadline < self._wake_at:
            self._wake_at = deadline
            self._earlier.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._earlier = anyio.Event()
            with anyio.CancelScope(deadline=self._wake_at):
                await self._earlier.wait()
                continue
            now = anyio.current_time()
            for watched in [watched for watched in self.watched if watched.deadline <= now]:
                try:
                    watched.deadline_passed()
                except Exception:
                    # The deadlines of all others are still to be watched.
                    watched.deadline = math.inf
                    log.exception("a bug in the HTTP/2 pool, at a deadline")
            # Deadlines that have passed belong to what is done with; only later ones are waited for.
            self._wake_at = min((w.deadline for w in self.watched if w.deadline > now), default=math.inf)
