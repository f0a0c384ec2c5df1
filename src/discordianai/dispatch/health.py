"""A provider's health: what each failure says of it, and the circuit breaker that follows from that."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.attempt import asked_pause
from discordianai.dispatch.breaker import (
    AdaptiveLimit,
    Breaker,
    BreakerOptions,
    BreakerReason,
    BreakerState,
    LastingRefusal,
)
from discordianai.dispatch.refusals import BreakerOpen, DeadlinePassed
from discordianai.providers.errors import (
    AuthenticationFailed,
    ConnectionLost,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from discordianai.records import Provider

UNHEALTHY = (Overloaded, ConnectionLost, TimedOut)
"""Failures that count against a provider's health; a refused question does not."""

REFUSALS = {
    AuthenticationFailed: BreakerReason.AUTHENTICATION,
    QuotaExhausted: BreakerReason.QUOTA,
    RateLimited: BreakerReason.RATE_LIMITED,
    Overloaded: BreakerReason.OVERLOADED,
}
"""Answers that can hold for every request; the last two where they ask for a pause."""


LATEST = 10
"""Answers by which it is judged how long a provider usually is silent at first."""

SOON_AGAIN = 30.0
"""Seconds after the end of a pause within which the next one continues it."""


class _Pauses:
    """How long a provider has asked for one short pause after another."""

    def __init__(self) -> None:
        self._since = self._end = float("-inf")

    def add(self, pause: float, now: float) -> float:
        """Count one; seconds from the beginning of the first to the end of the last."""
        if now > self._end + SOON_AGAIN:
            self._since = now
        self._end = max(self._end, now + pause)
        return self._end - self._since

    def clear(self) -> None:
        """A request was answered."""
        self._since = self._end = float("-inf")


class ProviderHealth:
    """The breaker of `provider`, and the `limit` of its requests in flight.

    `pause` is called with the seconds that the provider asks all requests to wait, `refuse_waiting` when the
    breaker opens and when its probe begins.
    """

    def __init__(
        self,
        provider: Provider,
        limit: AdaptiveLimit,
        options: BreakerOptions,
        log: FilteringBoundLogger,
        *,
        pause: Callable[[float], object],
        refuse_waiting: Callable[[], object],
    ) -> None:
        self._provider = provider
        self._limit = limit
        self._longest_pause = options.longest_pause
        self._log = log
        self._pause = pause
        self._refuse_waiting = refuse_waiting
        self._breaker = Breaker(options)
        self._pauses = _Pauses()
        self._silences: deque[float] = deque(maxlen=LATEST)
        self._opened = trio.Event()
        self.refusals = 0

    @property
    def reason(self) -> BreakerReason | None:
        """Why the breaker is not closed."""
        return self._breaker.reason

    @property
    def closed(self) -> bool:
        """Whether the breaker lets every request through."""
        return self._breaker.state is BreakerState.CLOSED

    def state_at(self, now: float) -> tuple[BreakerState, float, float]:
        """The breaker's state, the seconds until its next probe, and what is left of the provider's pause."""
        return self._breaker.state_at(now), self._breaker.next_probe(now), self._breaker.pause_left(now)

    @property
    def patience(self) -> float:
        """Seconds that a probe waits for the first sign of an answer; see `BreakerOptions`."""
        return max(self._breaker.patience, self.usual_patience)

    @property
    def usual_patience(self) -> float:
        """Seconds within which it would be too early to call it silent: some send only whole answers."""
        return 2 * max(self._silences, default=0.0)

    def first_sign(self, seconds: float) -> None:
        """Anything of an answer has come, so many seconds after it was asked for."""
        self._silences.append(seconds)

    def delay(self) -> float:
        """Seconds for which the breaker lets no question through."""
        return self._breaker.delay(trio.current_time())

    def check(self) -> None:
        """Raises `BreakerOpen`."""
        if self.delay():
            raise self.refusal()

    def refusal(self) -> BreakerOpen:
        """The error for one more question that the breaker keeps away; `refusals` counts them."""
        self.refusals += 1
        reason = self._breaker.reason or BreakerReason.FAILURES
        return BreakerOpen(self._provider, f"the circuit breaker is open: {reason}", self.delay(), reason)

    async def sleep_unless_opened(self, seconds: float) -> None:
        """Wait so long, or until the breaker opens."""
        with trio.move_on_after(seconds):
            await self._opened.wait()

    @contextmanager
    def question(self, *, again: bool = False) -> Iterator[bool]:
        """A question's request, from whose end everything is learned; yields whether it is the probe.

        `again`: the question had failed before.
        """
        self.check()  # it may have opened while the question waited
        probe = self._breaker.enter(trio.current_time())
        if probe:
            self._refuse_waiting()
        failed, lasting = None, None
        try:
            yield probe
            failed = False
            self._limit.succeeded()
        except ProviderError as error:
            failed = _failed(error)
            lasting = self._learn(error, probe=probe)
            raise
        finally:
            with self._watched():
                now = trio.current_time()
                self._breaker.leave(now, failed=failed, probe=probe, refusal=lasting, again=again)

    @contextmanager
    def side_request(self) -> Iterator[None]:
        """A request that answers no question, and that the bot can do without.

        A 429 holds for all requests. Any other failure may be that of one interface, or of what the key may
        do there: it must keep no question away.
        """
        try:
            yield
        except RateLimited as error:
            lasting = self._learn(error, probe=False)
            with self._watched():
                self._breaker.leave(trio.current_time(), failed=None, probe=False, refusal=lasting)
            raise

    def first_words(self, *, probe: bool = True) -> None:
        """A request, perhaps the probe, is being answered."""
        self._pauses.clear()
        if probe:
            with self._watched():
                self._breaker.first_words()

    def _learn(self, error: ProviderError, *, probe: bool) -> LastingRefusal | None:
        """What a refusal asks of all requests: a short pause, or to be returned, that the breaker opens."""
        now, pause = trio.current_time(), asked_pause(error)
        if isinstance(error, RateLimited):
            self._limit.rate_limited(now)
        if isinstance(error, Overloaded):
            self._limit.failed(now)
        lasting = isinstance(error, AuthenticationFailed | QuotaExhausted) or (
            probe and self._breaker.refused
        )
        if pause is not None:
            # Short ones that follow each other are a long one: whoever waits for each end meets the next.
            lasting = self._pauses.add(pause, now) > self._longest_pause or lasting
        if lasting and (reason := REFUSALS.get(type(error))) is not None:
            return LastingRefusal(reason, pause)
        if pause is not None:
            self._pause(pause)
        return None

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Tell those who wait, and the log, where the breaker opens or closes in the block."""
        before = self._breaker.state
        yield
        state, now = self._breaker.state, trio.current_time()
        if state is before:
            return
        if state is BreakerState.CLOSED:
            self._limit.recovered()
            self._log.info("circuit breaker closed")
            return
        self._log.warning(
            "circuit breaker opened",
            reason=str(self._breaker.reason),
            next_try=round(self._breaker.next_probe(now), 1),
            pause=round(self._breaker.pause_left(now), 1),
        )
        self._refuse_waiting()
        self._opened.set()
        self._opened = trio.Event()


def _failed(error: ProviderError) -> bool | None:
    """None where the error says nothing about the provider."""
    if isinstance(error, DeadlinePassed):  # it may have had only a moment
        return True if error.silent else None
    return isinstance(error, UNHEALTHY)
