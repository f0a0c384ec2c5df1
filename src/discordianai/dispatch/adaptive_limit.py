"""How many requests may be in flight: half as many when there are too many, then one more at a time."""

from collections import deque

FAILURES = 3
"""So many failures within `COOLDOWN` are no accident."""

COOLDOWN = 5.0
"""Seconds in which the limit is halved once at most: requests that were sent together fail together."""


class AdaptiveLimit:
    """`current` is between 1 and `most`. The clock is the caller's, in seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._successes = 0
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._halved_at = float("-inf")
        self._was_limited = False
        self.current = most

    def reconfigure(self, most: int) -> None:
        """Allow so many at most: all of them, where all that were allowed before could be used."""
        self.current = most if self.current == self._most else min(self.current, most)
        self._most = most

    def rate_limited(self, now: float) -> None:
        """The provider said that it gets too many: climb back slowly."""
        self._was_limited = True
        self._halve(now)

    def failed(self, now: float) -> None:
        """A request failed as with an overloaded provider; a single one may be an accident."""
        self._failures.append(now)
        if len(self._failures) == FAILURES and self._failures[0] > now - COOLDOWN:
            self._halve(now)

    def succeeded(self) -> None:
        """An answer was complete: allow one more; after a 429, one for as many successes as are allowed."""
        self._successes += 1
        if self._successes >= self.current or not self._was_limited:
            self._successes = 0
            self.current = min(self.current + 1, self._most)
            self._was_limited = self._was_limited and self.current < self._most

    def recovered(self) -> None:
        """The provider had an outage, and it is over: the failures said nothing about its capacity."""
        if not self._was_limited:
            self.current = max(self.current, self._most // 2)

    def _halve(self, now: float) -> None:
        if now - self._halved_at >= COOLDOWN:
            self._halved_at = now
            self.current = max(self.current // 2, 1)
            self._successes = 0
