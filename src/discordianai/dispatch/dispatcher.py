"""The one way to a provider: a place in the line, a slot, budget, and another try where that is safe."""

import itertools
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch import retry
from discordianai.dispatch.adaptive_limit import AdaptiveLimit
from discordianai.dispatch.attempt import Attempt
from discordianai.dispatch.breaker import Breaker, BreakerOptions, BreakerState
from discordianai.dispatch.budget import Budget, BudgetOptions
from discordianai.dispatch.estimate import TokenEstimate
from discordianai.dispatch.fair_line import FairLine, LineFull, Place
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import BeyondTheMinute, BreakerOpen, DeadlinePassed, QueueFull
from discordianai.dispatch.retry import RetryBudget, RetryOptions
from discordianai.dispatch.statistics import DispatchStatistics, Tally
from discordianai.live import Live
from discordianai.model import ChatRequest, Provider, Usage
from discordianai.providers.errors import (
    ConnectionLost,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
)
from discordianai.providers.events import Event
from discordianai.providers.port import ChatProvider
from discordianai.tokens import TokenEstimator

ILL = (Overloaded, ConnectionLost, TimedOut)
"""What counts against a provider; a wrong key or a refused question does not make it ill."""

PATIENCE, AGAIN = 2.0, 5.0
"""Seconds in the line until the person is told where the question stands, and from then on."""


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
    """Where a question waits, counted from 1; again and again, before anything else."""

    number: int


class Dispatcher:
    """Lets requests through to `provider` as slots, budget and its health allow."""

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
        self._line = FairLine(self._limiter, self._limit, self._budget, options.dispatch.queue_size)
        self._breaker = Breaker(options.breaker)
        self._retries = RetryBudget(options.retry.extra_load)
        self._estimate = TokenEstimate(estimator or TokenEstimator())
        self._tally = Tally()
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
        """About what the request will take."""
        return self._estimate.expected(request)

    def statistics(self) -> DispatchStatistics:
        """This moment."""
        now, in_flight = trio.current_time(), self._limiter.borrowed_tokens
        requests_left, tokens_left = self._budget.left(now)
        requests_limit, tokens_limit = self._budget.limits
        counted = self._tally.statistics(now)
        return replace(
            counted,
            in_flight=in_flight,
            waiting=self._line.waiting,
            limit=self._limit.now,
            requests_left=requests_left,
            tokens_left=tokens_left,
            breaker=self._breaker.seen(now),
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
        self._line.serve()

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event | QueuePosition]]:
        """The answer's events, as they come. The slot is held until the block is left, however it is left.

        All waits end at `deadline`, on trio's clock. Iterating raises the errors of `ChatProvider.stream` and
        of `refusals`.
        """
        async with aclosing(self._tries(request, deadline)) as events:
            yield events

    async def _tries(
        self, request: ChatRequest, deadline: float
    ) -> AsyncGenerator[Event | QueuePosition, None]:
        """Try until text, or a call of a tool, has come; neither is ever begun again.

        No cancel scope is open across a yield: each wait is bounded by itself.
        """
        log = self._log.bind(question=request.number)
        self._check_size(request)
        self._retries.earn()
        for number in itertools.count(1):
            shown = False
            try:
                self._check_breaker()
                joined = trio.current_time()
                with self._line.place(request.person, self._estimate.of(request)) as place:
                    patience = PATIENCE
                    while not await self._admitted(place, deadline, patience):
                        yield QueuePosition(self._line.position(place))
                        patience = AGAIN
                    self._check_breaker()  # it may have opened meanwhile
                    self._tally.waited.note(trio.current_time() - joined)
                    log.debug(
                        "slot taken", in_flight=self._limiter.borrowed_tokens, waiting=self._line.waiting
                    )
                    async with AsyncExitStack() as stack:
                        attempt = stack.enter_context(self._watched(place, request, log))
                        next_event = self._opening(request, stack)
                        while event := await self._before(deadline, next_event):
                            attempt.see(event)
                            shown = attempt.shown
                            yield event
                        attempt.end()
                return
            except ProviderError as error:
                pause = self._pause_before_another_try(error, number, deadline)
                if shown or pause is None:
                    raise
                log.debug("trying again", reason=error.for_log, attempt=number, pause=round(pause, 2))
            await trio.sleep(pause)

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

    async def _admitted(self, place: Place, deadline: float, patience: float) -> bool:
        """Wait in the line, but no longer than the person should without a word."""
        try:
            if await self._line.admitted(place, min(trio.current_time() + patience, deadline)):
                return True
        except LineFull:
            self._tally.line_full += 1
            raise QueueFull(self.provider, "as many questions wait as may") from None
        if trio.current_time() >= deadline:
            raise DeadlinePassed(self.provider, "still in the line")
        return False

    @contextmanager
    def _watched(self, place: Place, request: ChatRequest, log: FilteringBoundLogger) -> Iterator[Attempt]:
        """One request, from whose end the breaker, the limit and the budget learn."""
        probe, failed = self._breaker.enter(), None
        try:
            self._tally.sent(self._limiter.borrowed_tokens, trio.current_time())
            place.sent = True
            with closing(Attempt(self._budget, self._estimate, self._tally, place, request, log)) as attempt:
                try:
                    yield attempt
                    failed = False
                    self._limit.success()
                except ProviderError as error:
                    # A question whose time is over may have had but a moment of it left for this.
                    failed = None if isinstance(error, DeadlinePassed) else isinstance(error, ILL)
                    self._learn(error)
                    attempt.fail(error)
                    raise
                except Exception as bug:
                    attempt.fail(bug)
                    raise
        finally:
            self._tell_breaker(failed, probe=probe)

    async def _before(self, deadline: float, call: Callable[[], Awaitable[Event | None]]) -> Event | None:
        with trio.CancelScope(deadline=deadline):
            return await call()
        raise DeadlinePassed(self.provider, "the answer was not complete")

    def _pause_before_another_try(self, error: ProviderError, number: int, deadline: float) -> float | None:
        """Seconds; None where there is to be no other try."""
        if not error.safe_to_retry or number >= self._options.dispatch.max_attempts:
            return None
        pause = retry.delay(self._options.retry, number, error, self._chance)
        if trio.current_time() + pause >= deadline or not self._retries.take():
            return None
        self._tally.retries += 1
        return pause

    def _check_size(self, request: ChatRequest) -> None:
        """What takes more than a whole minute's would wait for an empty one, and fill it for everybody."""
        tokens, (_, most) = self._estimate.of(request), self._budget.limits
        if tokens > most:
            raise BeyondTheMinute(
                self.provider, f"about {tokens:.0f} tokens of {most:.0f} a minute", round(tokens), round(most)
            )

    def _check_breaker(self) -> None:
        if seconds := self._breaker.wait(trio.current_time()):
            self._tally.breaker_open += 1
            raise BreakerOpen(self.provider, "the circuit breaker is open", seconds)

    def _tell_breaker(self, failed: bool | None, *, probe: bool) -> None:
        before = self._breaker.state
        self._breaker.leave(trio.current_time(), failed=failed, probe=probe)
        if probe and failed is False:
            self._limit.well_again()
        state = self._breaker.state
        if state is not before and state is BreakerState.OPEN:
            self._log.warning("circuit breaker opened", seconds=self._options.breaker.rest)
        elif state is not before:
            self._log.info("circuit breaker closed")

    def _learn(self, error: ProviderError) -> None:
        """What the provider asks of all, when it refuses one."""
        now = trio.current_time()
        if isinstance(error, RateLimited):
            self._tally.rate_limited += 1
            self._limit.overrun(now)
        if isinstance(error, Overloaded):
            self._limit.strained(now)
        if isinstance(error, RateLimited | Overloaded) and error.retry_after is not None:
            self._budget.pause(error.retry_after, now)
