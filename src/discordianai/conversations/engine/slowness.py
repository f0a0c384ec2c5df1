"""Notices that writes take long, and says so once."""

import trio
from structlog.typing import FilteringBoundLogger

SLOW_AFTER = 2.0
"""Seconds from a write's call to its commit. A disk takes milliseconds, a busy one tens of them."""

SLOW_OVER_AFTER = 30.0
"""Seconds without a slow write after which it counts as well again, so that the log is not filled by what is
slow now and then."""


class Slowness:
    """On the trio thread. `what` is slow, in words: the disk, for example."""

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
