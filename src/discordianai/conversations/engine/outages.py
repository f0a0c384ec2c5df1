"""Logs when the database fails, fails repeatedly, or is slow."""

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


SLOW_AFTER = 2.0
"""Seconds from a write's call to its commit. A disk takes milliseconds, a busy one tens of them."""

SLOW_OVER_AFTER = 30.0
"""Seconds without a slow write after which it counts as well again, so that the log is not filled by what is
slow now and then."""


class Slowness:
    """Notices that writes take long, and says so once. On the trio thread.

    `what` is slow, in words: the disk, for example.
    """

    def __init__(self, what: str, log: FilteringBoundLogger) -> None:
        self._what = what
        self._log = log
        self._last_slow: float | None = None
        self._longest = 0.0

    def __bool__(self) -> bool:
        """Whether writes are slow at present."""
        return self._last_slow is not None

    def note(self, seconds: float) -> None:
        """A write took so long, or has waited so long already."""
        if seconds < SLOW_AFTER:
            return
        if self._last_slow is None:
            self._log.warning(
                f"{self._what} is slow: answers are shown before they are stored", seconds=round(seconds, 1)
            )
        self._last_slow = trio.current_time()
        self._longest = max(self._longest, seconds)

    def check(self) -> None:
        """Call periodically: logs once writes have not been slow for a while."""
        if self._last_slow is not None and trio.current_time() - self._last_slow >= SLOW_OVER_AFTER:
            self._log.info(f"{self._what} is no longer slow", longest_seconds=round(self._longest, 1))
            self._last_slow, self._longest = None, 0.0
