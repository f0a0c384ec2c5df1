"""Rate limits, enforced exactly, and how headers report them."""

import math
import time
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests in `seconds`: in any such period, or in each window of the clock."""

    count: int
    seconds: float = 60.0
    aligned: bool = False
    """Whether windows start at whole multiples of `seconds` on the service's clock, instead of sliding."""


TIER_0 = (Rate(1, 1.0, aligned=True), Rate(50))
"""Perplexity's limits for an organisation that has bought nothing yet."""


@dataclass(eq=False)
class RequestBudget:
    """The requests admitted in the last minute. Times are `time.monotonic`'s."""

    clock_ahead: float = 0.0
    _admitted: deque[tuple[float, int]] = field(default_factory=deque)

    def delay(self, rates: tuple[Rate, ...], tokens_per_minute: int | None, tokens: int) -> float:
        """Seconds until a request of so many tokens is within every limit; 0 if it is now."""
        now = time.monotonic()
        horizon = max([MINUTE, *(rate.seconds for rate in rates)])
        while self._admitted and self._admitted[0][0] <= now - horizon:
            self._admitted.popleft()
        waits = [self._requests_wait(rate, now) for rate in rates]
        if tokens_per_minute is not None and self._tokens(now) + tokens > tokens_per_minute:
            oldest = next((at for at, _ in self._admitted if at > now - MINUTE), now)
            waits.append(oldest + MINUTE - now)
        return max(waits, default=0.0)

    def admit(self, tokens: int) -> None:
        """Count a request of so many tokens."""
        self._admitted.append((time.monotonic(), tokens))

    def used(self, rate: Rate) -> int:
        """How many requests this rate's window holds."""
        now = time.monotonic()
        begin = self._begin(rate, now)
        return sum(at > begin for at, _ in self._admitted)

    def tokens_used(self) -> int:
        """How many tokens the last minute holds."""
        return self._tokens(time.monotonic())

    def reset_at(self, rate: Rate) -> int:
        """The epoch second, by the service's clock, at which the next window of an aligned rate starts."""
        now = self._wall(time.monotonic())
        return int(math.floor(now / rate.seconds) * rate.seconds + rate.seconds)

    def _requests_wait(self, rate: Rate, now: float) -> float:
        begin = self._begin(rate, now)
        inside = [at for at, _ in self._admitted if at > begin]
        if len(inside) < rate.count:
            return 0.0
        if rate.aligned:
            return begin + rate.seconds - now
        return inside[-rate.count] + rate.seconds - now if rate.count else math.inf

    def _begin(self, rate: Rate, now: float) -> float:
        return now - (self._wall(now) % rate.seconds if rate.aligned else rate.seconds)

    def _wall(self, now: float) -> float:
        return now + (time.time() - time.monotonic()) + self.clock_ahead

    def _tokens(self, now: float) -> int:
        return sum(tokens for at, tokens in self._admitted if at > now - MINUTE)


def duration(seconds: float) -> str:
    """As OpenAI writes it: `120ms`, `1s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
