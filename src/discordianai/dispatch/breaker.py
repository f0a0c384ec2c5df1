"""Protects a provider that fails or slows down: fewer requests at once, or none but a probe."""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

LOWER_AFTER_FAILURES = 3
"""So many failures within `LOWER_COOLDOWN` are no accident."""

LOWER_COOLDOWN = 5.0
"""Seconds in which the limit is halved once at most: requests that were sent together fail together."""


class AdaptiveLimit:
    """`current` is between 1 and `most`. The clock is the caller's, in seconds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._successes = 0
        self._failures: deque[float] = deque(maxlen=LOWER_AFTER_FAILURES)
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
        if len(self._failures) == LOWER_AFTER_FAILURES and self._failures[0] > now - LOWER_COOLDOWN:
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
        if now - self._halved_at >= LOWER_COOLDOWN:
            self._halved_at = now
            self.current = max(self.current // 2, 1)
            self._successes = 0


class BreakerState(StrEnum):
    """Whether requests go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


class BreakerReason(StrEnum):
    """Why it is not closed."""

    FAILURES = "failures"
    """Most requests failed."""
    RATE_LIMITED = "rate_limited"
    """A 429 asked for a long pause."""
    OVERLOADED = "overloaded"
    """A 5xx asked for a long pause."""
    QUOTA = "quota"
    """The account has no credit left."""
    AUTHENTICATION = "authentication"
    """The key is not accepted."""


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """It opens when at least `minimum` requests ended in `window` seconds, and this `rate` of them failed; or
    when as many questions as `in_a_row` failed with no answer between them, the last more than a `window`
    after the first: where little is asked, there are never so many. One that is tried again counts once: it
    may be what fails.

    Then it probes every `interval` seconds, or as long after a probe as that one took, up to `longest_pause`.
    After a refusal that holds for all requests the interval doubles with each probe that fails: from
    `interval` up to `longest_pause` where the provider named no pause, else from the pause, or
    `longest_pause` if that is shorter, up to `longest_interval`.

    After failures, the first probe waits `patience` seconds for any sign of an answer, and each further one
    twice as long: it is a person's question, and another provider may be well.
    """

    window: float = 30.0
    minimum: int = 10
    rate: float = 0.5
    in_a_row: int = 3
    interval: float = 15.0
    patience: float = 15.0
    longest_pause: float = 120.0
    longest_interval: float = 900.0


@dataclass(frozen=True, slots=True)
class LastingRefusal:
    """A provider's answer that holds for every request; `pause` is in seconds, if it named one."""

    reason: BreakerReason
    pause: float | None = None


class Breaker:
    """The clock is the caller's, in seconds. Whoever calls `enter` calls `leave` with the result."""

    def __init__(self, options: BreakerOptions) -> None:
        self._options = options
        self._requests: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._in_a_row = 0
        self._failing_since = 0.0
        self._refusal = LastingRefusal(BreakerReason.FAILURES)
        self._interval = options.interval
        self._next_probe = 0.0
        self._pause_ends = 0.0
        self._probing = False
        self._probe_began = 0.0
        self._failed_probes = 0
        self.state = BreakerState.CLOSED

    @property
    def patience(self) -> float:
        """Seconds that a probe waits for the first sign of an answer."""
        return math.inf if self.refused else self._options.patience * 2.0 ** min(self._failed_probes, 10)

    @property
    def reason(self) -> BreakerReason | None:
        """Why it is not closed."""
        return None if self.state is BreakerState.CLOSED else self._refusal.reason

    @property
    def refused(self) -> bool:
        """Whether it is not closed because the provider refused all requests, rather than failed."""
        return self.reason not in {None, BreakerReason.FAILURES}

    def delay(self, now: float) -> float:
        """Seconds until the next probe; 0 lets a request through, as the probe if it is half open.

        Once a probe is due, the breaker is half open from this call on.
        """
        if self.state is BreakerState.CLOSED:
            return 0.0
        if now < self._next_probe:
            return self._next_probe - now
        self.state = BreakerState.HALF_OPEN
        return self._interval if self._probing else 0.0

    def state_at(self, now: float) -> BreakerState:
        """The state as it is for the next request: a probe may be due."""
        due = self.state is BreakerState.OPEN and now >= self._next_probe
        return BreakerState.HALF_OPEN if due else self.state

    def next_probe(self, now: float) -> float:
        """Seconds until a probe is due; 0 when it is, or where none is needed."""
        return 0.0 if self.state is BreakerState.CLOSED else max(self._next_probe - now, 0.0)

    def pause_left(self, now: float) -> float:
        """Seconds for which the provider still wants no requests, as it said; 0 where it said nothing."""
        return 0.0 if self.state is BreakerState.CLOSED else max(self._pause_ends - now, 0.0)

    def enter(self, now: float) -> bool:
        """A request that `delay` let through begins. True: it is the probe; the next is an interval later."""
        if self.state is not BreakerState.HALF_OPEN:
            return False
        self._probing = True
        self._probe_began = now
        self._next_probe = now + self._interval
        return True

    def first_words(self) -> None:
        """The probe is being answered: a provider that refused all requests refuses no more.

        One that failed may fail again before the answer is complete. As that may take long, a further probe
        need not wait for its end.
        """
        self._probing = False
        if self.refused:
            self._close()

    def leave(
        self,
        now: float,
        *,
        failed: bool | None,
        probe: bool,
        refusal: LastingRefusal | None = None,
        again: bool = False,
    ) -> None:
        """A request has ended. `failed` None says nothing about the provider, as when a person cancels.

        `again`: its question had failed before.
        """
        probe_failed = probe and self.state is not BreakerState.CLOSED and (failed or refusal is not None)
        if probe:
            self._probing = False
            self._failed_probes += bool(probe_failed)
        if probe_failed and refusal is None:
            refusal = LastingRefusal(self._refusal.reason)
        if refusal is not None:
            self._refuse(refusal, now, latest=probe, took=now - self._probe_began if probe else 0.0)
        elif failed is None:
            return
        elif self.state is BreakerState.CLOSED:
            self._count(now, failed, again=again)
        elif probe:
            self._close()

    def _count(self, now: float, failed: bool, *, again: bool) -> None:
        self._requests.append((now, failed))
        self._failures += failed
        while self._requests[0][0] <= now - self._options.window:
            self._failures -= self._requests.popleft()[1]
        if not self._in_a_row:
            self._failing_since = now
        self._in_a_row = self._in_a_row + (not again) if failed else 0
        if self._fails_often() or self._fails_always(now):
            self._refuse(LastingRefusal(BreakerReason.FAILURES), now, latest=True)

    def _fails_often(self) -> bool:
        requests = len(self._requests)
        return requests >= self._options.minimum and self._failures >= self._options.rate * requests

    def _fails_always(self, now: float) -> bool:
        lasts = now - self._failing_since > self._options.window
        return lasts and self._in_a_row >= self._options.in_a_row

    def _refuse(self, refusal: LastingRefusal, now: float, *, latest: bool, took: float = 0.0) -> None:
        """Open. Unless this is the `latest` answer, what was asked for before still holds, too: requests that
        were sent together are refused one after the other. `took`: seconds of the probe that failed."""
        if self.state is BreakerState.CLOSED or (latest and refusal.pause is not None):
            self._pause_ends = self._next_probe = 0.0
        if refusal.pause is not None:
            self._pause_ends = max(self._pause_ends, now + refusal.pause)
        self._refusal, self.state = refusal, BreakerState.OPEN
        self._interval = self._interval_after(refusal.reason, self._pause_ends - now, took)
        self._next_probe = max(self._next_probe, now + self._interval)
        self._requests.clear()
        self._failures = self._in_a_row = 0

    def _interval_after(self, reason: BreakerReason, pause: float, took: float) -> float:
        options, doubled = self._options, 1 << min(self._failed_probes, 10)
        if reason is BreakerReason.FAILURES:
            return max(options.interval, min(took, options.longest_pause))
        if pause > 0:
            return max(min(pause, options.longest_pause * doubled, options.longest_interval), 1.0)
        return min(options.interval * doubled, options.longest_pause)

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._failed_probes = 0
