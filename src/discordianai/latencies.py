"""Latency statistics: buckets since the start, and the latest values for percentiles."""

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds: what a bucket holds at most. One more bucket has what took longer."""

KEPT = 1000
"""Of the latest ones, which the percentiles are taken from."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One moment of it. `counts` has each bucket's own, `seconds` is their sum; both since the start.

    The others are seconds, of the latest ones only, and 0 where there are none.
    """

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0

    @property
    def count(self) -> int:
        """The number of measurements."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Seconds; 0 where nothing was measured."""
        return self.seconds / self.count if self.count > 0 else 0.0

    def since(self, before: "Latency") -> "Latency":
        """What came after `before`, with percentiles as far as the buckets tell them."""
        counts = tuple(max(now - then, 0) for now, then in zip(self.counts, before.counts, strict=False))
        return from_buckets(counts, self.seconds - before.seconds)


def from_buckets(counts: tuple[int, ...], seconds: float) -> Latency:
    """A latency of which nothing else is known: each percentile is what its bucket holds at most."""
    reached, total = list(accumulate(counts)), sum(counts)
    bounds = (*BOUNDS, BOUNDS[-1])

    def quantile(part: float) -> float:
        bucket = bisect_left(reached, min(math.floor(part * total) + 1, total))
        return bounds[min(bucket, len(bounds) - 1)] if total > 0 else 0.0

    return Latency(counts, seconds, quantile(0.5), quantile(0.99), quantile(1.0))


class Latencies:
    """Collects latencies. For one thread, or under its owner's lock."""

    __slots__ = ("_counts", "_latest", "_seconds")

    def __init__(self, kept: int = KEPT) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._latest: deque[float] = deque(maxlen=kept)

    def note(self, seconds: float) -> None:
        """Record a latency in seconds."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds
        self._latest.append(seconds)

    def now(self) -> Latency:
        """The statistics at this moment."""
        counts = tuple(self._counts)
        if not self._latest:
            return Latency(counts, self._seconds)
        ordered = sorted(self._latest)
        last = len(ordered) - 1
        p99 = min(math.floor(len(ordered) * 0.99), last)
        return Latency(counts, self._seconds, ordered[len(ordered) // 2], ordered[p99], ordered[last])
