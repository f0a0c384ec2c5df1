"""What a dispatcher tells about itself."""

from collections import deque
from dataclasses import dataclass, field

from discordianai.dispatch.breaker import BreakerState

KEPT = 1000
"""Latencies that the percentiles are taken from."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds; 0 where nothing was measured."""

    p50: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True)
class DispatchStatistics:
    """One moment of a dispatcher. `limit` is how many may be in flight now; the last four are totals.

    `waited` is the time in the line of those that were sent; `first_chunk` and `last_chunk` count from there.
    """

    in_flight: int
    waiting: int
    limit: int
    requests_left: float
    tokens_left: float
    breaker: BreakerState
    waited: Percentiles
    first_chunk: Percentiles
    last_chunk: Percentiles
    requests: int
    rate_limited: int
    retries: int
    refused: int


def _latencies() -> deque[float]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Tally:
    """Counts as it happens."""

    requests: int = 0
    rate_limited: int = 0
    retries: int = 0
    refused: int = 0
    waited: deque[float] = field(default_factory=_latencies)
    first_chunk: deque[float] = field(default_factory=_latencies)
    last_chunk: deque[float] = field(default_factory=_latencies)


def percentiles(latencies: deque[float]) -> Percentiles:
    """Of the latest ones."""
    if not latencies:
        return Percentiles()
    ordered = sorted(latencies)
    return Percentiles(ordered[len(ordered) // 2], ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)])
