"""A circuit breaker: a provider that mostly fails is left alone for a while, then tried by one request."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether requests go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """Opens for `rest` seconds when of at least `minimum` calls in `window` seconds this `rate` failed."""

    window: float = 30.0
    minimum: int = 10
    rate: float = 0.5
    rest: float = 15.0


class Breaker:
    """The clock is the caller's, in seconds. Who is let through reports what came of it."""

    def __init__(self, options: BreakerOptions) -> None:
        self._options = options
        self._calls: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at = 0.0
        self._probing = False
        self.state = BreakerState.CLOSED

    def wait(self, now: float) -> float:
        """Seconds until the next try; 0 lets a request through, as the probe if it is half open."""
        if self.state is BreakerState.CLOSED:
            return 0.0
        left = self._opened_at + self._options.rest - now
        if left > 0:
            return left
        self.state = BreakerState.HALF_OPEN
        return self._options.rest if self._probing else 0.0

    def seen(self, now: float) -> BreakerState:
        """The state as it is for the next request: the rest may be over."""
        resting = now < self._opened_at + self._options.rest
        return BreakerState.HALF_OPEN if self.state is BreakerState.OPEN and not resting else self.state

    def enter(self) -> bool:
        """A request that `wait` let through begins; True: it is the probe."""
        if self.state is not BreakerState.HALF_OPEN:
            return False
        self._probing = True
        return True

    def leave(self, now: float, *, failed: bool | None, probe: bool) -> None:
        """It has ended. `failed` None says nothing about the provider, as when the person has left."""
        if probe:
            self._probing = False
            if failed:
                self._open(now)
            elif failed is not None:
                self.state = BreakerState.CLOSED
        elif failed is not None and self.state is BreakerState.CLOSED:
            self._note(now, failed)

    def _note(self, now: float, failed: bool) -> None:
        self._calls.append((now, failed))
        self._failures += failed
        while self._calls[0][0] <= now - self._options.window:
            self._failures -= self._calls.popleft()[1]
        calls = len(self._calls)
        if calls >= self._options.minimum and self._failures >= self._options.rate * calls:
            self._open(now)

    def _open(self, now: float) -> None:
        self.state, self._opened_at = BreakerState.OPEN, now
        self._calls.clear()
        self._failures = 0
