"""At most so many events of a key in any stretch of time: an exact sliding window."""

from collections.abc import Hashable

from discordianai.dispatch.sliding_window import SlidingWindow


class RateWindow:
    """Allows `limit` events of each key in any `period` seconds; the clock is the caller's.

    A key costs memory only while it has events in the window.
    """

    def __init__(self, limit: int, period: float) -> None:
        self._allowed = (limit, period)
        self._windows: dict[Hashable, SlidingWindow] = {}
        self._swept_at = float("-inf")

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._windows)

    def reconfigure(self, limit: int, period: float) -> None:
        """Allow so many from now on, on top of what has been counted; from any thread."""
        self._allowed = (limit, period)

    def take(self, key: Hashable, now: float) -> float:
        """Count an event of `key` at `now` and return 0; or count nothing and return the seconds to wait."""
        if wait := self.wait(key, now):
            return wait
        self._sweep(now)
        self._windows.setdefault(key, SlidingWindow(*self._allowed)).reserve(1, now)
        return 0.0

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until an event of `key` is allowed."""
        window = self._windows.get(key)
        if window is None:
            return 0.0
        window.limit, window.period = self._allowed
        return window.wait(1, now)

    def _sweep(self, now: float) -> None:
        """Once a period, forget the keys whose events have all left the window."""
        if now - self._swept_at < self._allowed[1]:
            return
        self._swept_at = now
        for key in [key for key, window in self._windows.items() if not window.used(now)]:
            del self._windows[key]
