"""How many requests may be in flight: half when the provider is overrun, one more at a time when not."""

LULL = 5.0
"""Seconds in which one overrun counts once: the requests that were sent together fail together."""


class AdaptiveLimit:
    """Between 1 and `most`. The clock is the caller's, in seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._successes = 0
        self._halved_at = float("-inf")
        self.now = most

    def overrun(self, now: float) -> None:
        """The provider said that it is too much."""
        if now - self._halved_at >= LULL:
            self._halved_at = now
            self.now = max(self.now // 2, 1)
            self._successes = 0

    def success(self) -> None:
        """An answer came whole. As many of them as are allowed at once allow one more."""
        self._successes += 1
        if self._successes >= self.now:
            self._successes = 0
            self.now = min(self.now + 1, self._most)
