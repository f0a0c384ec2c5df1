"""How many requests may be in flight: half when the provider is overrun, one more at a time when not."""

from collections import deque

STRAINS = 3
"""So many failures within a lull are no accident."""

LULL = 5.0
"""Seconds in which one overrun counts once: the requests that were sent together fail together."""


class AdaptiveLimit:
    """Between 1 and `most`. The clock is the caller's, in seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._successes = 0
        self._strains: deque[float] = deque(maxlen=STRAINS)
        self._halved_at = float("-inf")
        self._gently = False
        self.now = most

    def reconfigure(self, most: int) -> None:
        """Allow so many at most. Where all that might were let through, all that may are."""
        self.now = most if self.now == self._most else min(self.now, most)
        self._most = most

    def overrun(self, now: float) -> None:
        """The provider said that it is too much: climb back gently."""
        self._gently = True
        self._halve(now)

    def strained(self, now: float) -> None:
        """A request failed as those of an ill provider do; a single one may be an accident."""
        self._strains.append(now)
        if len(self._strains) == STRAINS and self._strains[0] > now - LULL:
            self._halve(now)

    def success(self) -> None:
        """An answer came whole: allow one more; after an overrun, only for as many as are allowed at once."""
        self._successes += 1
        if self._successes >= self.now or not self._gently:
            self._successes = 0
            self.now = min(self.now + 1, self._most)
            self._gently = self._gently and self.now < self._most

    def well_again(self) -> None:
        """What failed was the provider, and it is well: that said nothing about its capacity."""
        if not self._gently:
            self.now = max(self.now, self._most // 2)

    def _halve(self, now: float) -> None:
        if now - self._halved_at >= LULL:
            self._halved_at = now
            self.now = max(self.now // 2, 1)
            self._successes = 0
