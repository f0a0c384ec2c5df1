"""The only way to a provider: queue, slot, budget, circuit breaker, and retries where they are safe."""

import itertools
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    closing,
    contextmanager,
)
from dataclasses import dataclass, field, replace

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.attempt import Attempt, RetryBudget, RetryOptions, asked_pause, backoff
from discordianai.dispatch.breaker import (
    AdaptiveLimit,
    Breaker,
    BreakerOptions,
    BreakerReason,
    BreakerState,
    LastingRefusal,
)
from discordianai.dispatch.budget import PERIOD, Budget, BudgetOptions
from discordianai.dispatch.dispatcher_statistics import DispatchCounter, DispatchStatistics
from discordianai.dispatch.fair_queue import FairQueue, FairQueueEntry, FairQueueFull
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import (
    BeyondTheMinute,
    BreakerOpen,
    DeadlinePassed,
    QueueFull,
    WaitTooLong,
)
from discordianai.dispatch.token_estimator import RequestEstimator, TokenEstimator
from discordianai.option import Live
from discordianai.providers.errors import (
    AuthenticationFailed,
    ConnectionLost,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from discordianai.providers.port import ChatProvider, Event
from discordianai.records import ChatRequest, Provider, Usage

UNHEALTHY = (Overloaded, ConnectionLost, TimedOut)
"""Failures that count against a provider's health; a refused question does not."""

REFUSALS = {
    AuthenticationFailed: BreakerReason.AUTHENTICATION,
    QuotaExhausted: BreakerReason.QUOTA,
    RateLimited: BreakerReason.RATE_LIMITED,
    Overloaded: BreakerReason.OVERLOADED,
}
"""Answers that can hold for every request; the last two where they ask for a pause."""

FIRST_POSITION, NEXT_POSITION = 2.0, 5.0
"""Seconds in the queue until the person is told the position, and from then on."""


@dataclass(frozen=True, slots=True)
class DispatcherOptions:
    """`slots` equals the pool's `max_connections`."""

    slots: int
    dispatch: DispatchOptions = field(default_factory=DispatchOptions)
    budget: BudgetOptions = field(default_factory=BudgetOptions)
    retry: RetryOptions = field(default_factory=RetryOptions)
    breaker: BreakerOptions = field(default_factory=BreakerOptions)


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a question waits, counted from 1; told repeatedly, before anything else."""

    number: int


class Dispatcher:
    """Sends requests to `provider` as slots, budget and its health allow."""

    def __init__(
        self,
        provider: ChatProvider,
        live: Live[DispatcherOptions],
        chance: random.Random | None = None,
        estimator: TokenEstimator | None = None,
    ) -> None:
        options = live.now
        self._provider = provider
        self._options = options
        self._chance = chance or random.SystemRandom()
        self._limiter = trio.CapacityLimiter(options.slots)
        self._limit = AdaptiveLimit(options.slots)
        self._budget = Budget(options.budget)
        self._queue = FairQueue(self._limiter, self._limit, self._budget, options.dispatch.queue_size)
        self._breaker = Breaker(options.breaker)
        self._breaker_opened = trio.Event()
        self._retries = RetryBudget(options.retry.extra_load)
        self._estimator = RequestEstimator(estimator or TokenEstimator())
        self._counter = DispatchCounter()
        self._log = structlog.get_logger("discordianai.dispatch").bind(provider=self.name)
        live.follow(self._reconfigure)

    @property
    def provider(self) -> Provider:
        """Whose dispatcher this is."""
        return self._provider.provider

    @property
    def name(self) -> str:
        """The provider's."""
        return self.provider.name

    @property
    def model(self) -> str:
        """The model that answers unless a request names another."""
        return self._provider.model

    def expected(self, request: ChatRequest) -> Usage:
        """About how many tokens the request will take."""
        return self._estimator.expected(request)

    def statistics(self) -> DispatchStatistics:
        """This moment."""
        now, in_flight = trio.current_time(), self._limiter.borrowed_tokens
        requests_left, tokens_left = self._budget.left(now)
        requests_limit, tokens_limit = self._budget.limits
        counted = self._counter.statistics(now)
        return replace(
            counted,
            in_flight=in_flight,
            waiting=len(self._queue),
            limit=self._limit.current,
            requests_left=requests_left,
            tokens_left=tokens_left,
            breaker=self._breaker.state_at(now),
            breaker_reason=self._breaker.reason,
            next_probe=self._breaker.next_probe(now),
            pause=max(self._budget.pause_left(now), self._breaker.pause_left(now)),
            busiest=max(counted.busiest, in_flight),
            requests_limit=requests_limit,
            tokens_limit=tokens_limit,
        )

    def _reconfigure(self, options: DispatcherOptions) -> None:
        """Let through by these slots and this budget from now on; what is in flight goes on."""
        self._limiter.total_tokens = options.slots
        self._limit.reconfigure(options.slots)
        if options.budget != self._options.budget:
            self._budget.reconfigure(options.budget)
        self._options = options
        self._queue.serve()

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event | QueuePosition]]:
        """The answer's events, as they come. The slot is held until the block is left, however it is left.

        All waits end at `deadline`, on trio's clock; what is certain to take longer is refused at once.
        Iterating raises the errors of `ChatProvider.stream` and of `refusals`.
        """
        async with aclosing(self._events(request, deadline)) as events:
            yield events

    async def _events(
        self, request: ChatRequest, deadline: float
    ) -> AsyncGenerator[Event | QueuePosition, None]:
        """Try until text, or a call of a tool, has come; neither is ever begun again.

        No cancel scope is open across a yield: each wait is bounded by itself.
        """
        log = self._log.bind(question=request.number)
        self._check_size(request)
        self._retries.earn()
        for number in itertools.count(1):
            async with self._try(number, deadline, log) as this:
                self._check_breaker()
                entry = this.enter_context(self._enqueue(request, deadline))
                told_after = FIRST_POSITION
                while not await self._granted(entry, told_after):
                    yield QueuePosition(self._queue.position(entry))
                    told_after = NEXT_POSITION
                this.attempt = this.enter_context(self._watched(entry, request, log))
                next_event = self._opening(request, this)
                while event := await self._before(deadline, next_event):
                    self._see(this.attempt, event)
                    yield event
                this.attempt.succeed()
                return

    @asynccontextmanager
    async def _try(self, number: int, deadline: float, log: FilteringBoundLogger) -> AsyncIterator["_Try"]:
        """A failure that another try may help ends here, after the pause before that."""
        this = _Try()
        try:
            async with this:
                yield this
            return
        except ProviderError as error:
            pause = None if this.shown else self._pause_before_retry(error, number, deadline)
            if pause is None:
                raise
            log.debug("trying again", reason=error.for_log, attempt=number, pause=round(pause, 2))
        with trio.move_on_after(pause):
            await self._breaker_opened.wait()

    def _enqueue(self, request: ChatRequest, deadline: float) -> AbstractContextManager[FairQueueEntry]:
        return self._queue.enqueue(request.person, self._estimator.of(request), deadline)

    def _opening(self, request: ChatRequest, stack: AsyncExitStack) -> Callable[[], Awaitable[Event | None]]:
        """Gives the next event at each call, None behind the last; the first call sends the request, too.

        One bounded wait instead of two: entering and leaving it is a good part of what a request costs.
        """
        events: AsyncIterator[Event] | None = None

        async def next_event() -> Event | None:
            nonlocal events
            if events is None:
                events = await stack.enter_async_context(self._provider.stream(request))
            return await anext(events, None)

        return next_event

    async def _granted(self, entry: FairQueueEntry, seconds: float) -> bool:
        """Wait for a slot and budget, but no longer than the person should without a word."""
        if not entry.decided.is_set() and (error := self._too_late(entry)) is not None:
            raise error
        try:
            if await self._queue.granted(entry, trio.current_time() + seconds):
                return True
        except FairQueueFull:
            self._counter.queue_full += 1
            raise QueueFull(self.provider, "the queue is full") from None
        if trio.current_time() >= entry.deadline:
            raise DeadlinePassed(self.provider, "still in the queue")
        return False

    @contextmanager
    def _watched(
        self, entry: FairQueueEntry, request: ChatRequest, log: FilteringBoundLogger
    ) -> Iterator[Attempt]:
        """One request, from whose end the breaker, the limit and the budget learn."""
        self._check_breaker()  # it may have opened while the question waited
        probe = self._breaker.enter(trio.current_time())
        failed, refusal = None, None
        try:
            with closing(self._begin(entry, request, log, probe=probe)) as attempt:
                try:
                    yield attempt
                    failed = False
                    self._limit.succeeded()
                except ProviderError as error:
                    # Of a question whose deadline has passed, the provider may have had only a moment.
                    failed = None if isinstance(error, DeadlinePassed) else isinstance(error, UNHEALTHY)
                    refusal = self._learn(error, probe=probe)
                    attempt.fail(error)
                    raise
                except Exception as bug:
                    attempt.fail(bug)
                    raise
        finally:
            with self._breaker_watched():
                self._breaker.leave(trio.current_time(), failed=failed, probe=probe, refusal=refusal)

    def _begin(
        self, entry: FairQueueEntry, request: ChatRequest, log: FilteringBoundLogger, *, probe: bool
    ) -> Attempt:
        now, in_flight = trio.current_time(), self._limiter.borrowed_tokens
        if probe:
            self._queue.refuse(self._breaker_open)
        self._counter.waited.note(now - entry.since)
        log.debug("slot taken", in_flight=in_flight, waiting=len(self._queue))
        self._counter.sent(in_flight, now)
        entry.sent = True
        return Attempt(self._budget, self._estimator, self._counter, entry, request, log, probe=probe)

    def _see(self, attempt: Attempt, event: Event) -> None:
        attempt.see(event)
        if attempt.probe and attempt.shown and self._breaker.refused:
            with self._breaker_watched():
                self._breaker.first_words()

    async def _before(self, deadline: float, call: Callable[[], Awaitable[Event | None]]) -> Event | None:
        with trio.CancelScope(deadline=deadline):
            return await call()
        raise DeadlinePassed(self.provider, "the answer was not complete")

    def _pause_before_retry(self, error: ProviderError, number: int, deadline: float) -> float | None:
        """Seconds; None where there is to be no other try."""
        now = trio.current_time()
        most = self._options.dispatch.max_attempts
        if not error.safe_to_retry or number >= most or self._breaker.delay(now):
            return None
        pause = backoff(self._options.retry, number, error, self._chance)
        if now + max(pause, asked_pause(error) or 0.0) >= deadline or not self._retries.take():
            return None
        self._counter.retries += 1
        return pause

    def _check_size(self, request: ChatRequest) -> None:
        """A request of more tokens than a minute has would wait for an empty minute, and take all of it."""
        tokens, (_, most) = self._estimator.of(request), self._budget.limits
        if tokens > most:
            raise BeyondTheMinute(
                self.provider, f"about {tokens:.0f} tokens of {most:.0f} a minute", round(tokens), round(most)
            )

    def _too_late(self, entry: FairQueueEntry) -> WaitTooLong | None:
        """Why not to wait: a pause, or what others have used, certainly lasts longer than the deadline."""
        now = trio.current_time()
        left = entry.deadline - now
        if left > max(PERIOD, self._budget.pause_left(now)):
            return None
        wait = self._budget.least_wait(entry.tokens, now)
        if wait < left or not wait:
            return None
        self._counter.wait_too_long += 1
        return WaitTooLong(self.provider, f"{wait:.1f} s to wait, and {left:.1f} s left", wait)

    def _check_breaker(self) -> None:
        if self._breaker.delay(trio.current_time()):
            raise self._breaker_open()

    def _breaker_open(self, _entry: FairQueueEntry | None = None) -> BreakerOpen:
        self._counter.breaker_open += 1
        reason = self._breaker.reason or BreakerReason.FAILURES
        seconds = self._breaker.delay(trio.current_time())
        return BreakerOpen(self.provider, f"the circuit breaker is open: {reason}", seconds, reason)

    @contextmanager
    def _breaker_watched(self) -> Iterator[None]:
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
        self._queue.refuse(self._breaker_open)
        self._breaker_opened.set()
        self._breaker_opened = trio.Event()

    def _learn(self, error: ProviderError, *, probe: bool) -> LastingRefusal | None:
        """What a refusal asks of all requests: a short pause, or to be returned, that the breaker opens."""
        now, pause = trio.current_time(), asked_pause(error)
        if isinstance(error, RateLimited):
            self._counter.rate_limited += 1
            self._limit.rate_limited(now)
        if isinstance(error, Overloaded):
            self._limit.failed(now)
        if (refusal := self._refusal(error, pause, probe=probe)) is None and pause is not None:
            self._budget.pause(pause, now)
            self._queue.refuse(self._too_late)
        return refusal

    def _refusal(self, error: ProviderError, pause: float | None, *, probe: bool) -> LastingRefusal | None:
        """None where the next request may be answered, or only a short pause is asked for."""
        reason = REFUSALS.get(type(error))
        lasting = isinstance(error, AuthenticationFailed | QuotaExhausted)
        lasting = lasting or (pause or 0.0) > self._options.breaker.longest_pause
        if reason is None or not (lasting or (probe and self._breaker.refused)):
            return None
        return LastingRefusal(reason, pause)


class _Try(AsyncExitStack):
    """What one try holds: a place in the queue, then a slot, and the request."""

    attempt: Attempt | None = None

    @property
    def shown(self) -> bool:
        """See `Attempt.shown`."""
        return self.attempt is not None and self.attempt.shown
