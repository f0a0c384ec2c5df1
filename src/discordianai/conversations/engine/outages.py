"""What the log has of a database that fails, and fails again."""

from collections import Counter

import trio
from structlog.typing import FilteringBoundLogger

WELL_AFTER = 600.0
"""Seconds that the database must have taken all writes before a further failure is logged like the first: one
that fails now and then would fill the log."""

AGAIN = 2


class Outages:
    """Logs when the database begins to fail, and when that is over.

    What makes it fail again and again is logged once as that, and not again before it has been well for a
    while.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._times: Counter[str] = Counter()
        self._ended_at: float | None = None

    @property
    def _again_and_again(self) -> bool:
        return any(times > 1 for times in self._times.values())

    def begin(self, reason: str) -> None:
        """It takes nothing now."""
        self._ended_at = None
        self._times[reason] += 1
        if self._times[reason] == 1:
            self._log.error("conversations are kept in memory only", reason=reason)
        elif self._times[reason] == AGAIN:
            self._log.error("the database fails again and again", reason=reason)
        else:
            self._log.debug("conversations are kept in memory only", reason=reason)

    def end(self) -> None:
        """It takes writes again."""
        self._ended_at = trio.current_time()
        log = self._log.debug if self._again_and_again else self._log.info
        log("conversations are kept in the database again")

    def check(self) -> None:
        """To be called now and then."""
        if self._ended_at is None or trio.current_time() - self._ended_at < WELL_AFTER:
            return
        if self._again_and_again:
            self._log.info("the database has not failed for a while")
        self._ended_at = None
        self._times.clear()
