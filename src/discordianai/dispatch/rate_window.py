"""At most so many events of a key in any stretch of time: an exact sliding window."""

from collections import deque
from collections.abc import Hashable


class RateWindow:
    """Allows `limit` events of each key in any `period` seconds; the clock is the caller's.

    A key costs memory only while it has events in the window.
    """

    def __init__(self, limit: int, period: float) -> None:
        self._limit = limit
        self._period = period
        self._events: dict[Hashable, deque[float]] = {}
        self._swept_at = float("-inf")

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._events)

    def take(self, key: Hashable, now: float) -> float:
        """Count an event of `key` at `now` and return 0; or count nothing and return the seconds to wait."""
        self._sweep(now)
        events = self._events.setdefault(key, deque())
        while events and events[0] <= now - self._period:
            events.popleft()
        if len(events) >= self._limit:
            return events[0] + self._period - now
        events.append(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Once a period, forget the keys whose events have all left the window."""
        if now - self._swept_at < self._period:
            return
        self._swept_at = now
        gone = [key for key, events in self._events.items() if events[-1] <= now - self._period]
        for key in gone:
            del self._events[key]
