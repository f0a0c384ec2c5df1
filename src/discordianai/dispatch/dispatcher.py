"""The one way to a provider: a place in the line, a slot, budget, and another try where that is safe."""

import itertools
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch import retry
from discordianai.dispatch.adaptive_limit import AdaptiveLimit
from discordianai.dispatch.breaker import Breaker, BreakerOptions, BreakerState
from discordianai.dispatch.budget import Budget, BudgetOptions
from discordianai.dispatch.estimate import TokenEstimate
from discordianai.dispatch.fair_line import FairLine, LineFull, Place
from discordianai.dispatch.refusals import BreakerOpen, DeadlinePassed, QueueFull
from discordianai.dispatch.retry import RetryBudget, RetryOptions
from discordianai.dispatch.statistics import DispatchStatistics, Tally, percentiles
from discordianai.model import ChatRequest, Chunk, ProviderName, Usage
from discordianai.providers.errors import (
    ConnectionLost,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
)
from discordianai.providers.port import ChatProvider
from discordianai.tokens import TokenEstimator

ILL = (Overloaded, ConnectionLost, TimedOut)
"""What counts against a provider; a wrong key or a refused question does not make it ill."""

PATIENCE, AGAIN = 2.0, 5.0
"""Seconds in the line until the person is told where the question stands, and from then on."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """`slots` equals the pool's `max_connections`."""

    slots: int
    queue_size: int = 200
    budget: BudgetOptions = field(default_factory=BudgetOptions)
    retry: RetryOptions = field(default_factory=RetryOptions)
    breaker: BreakerOptions = field(default_factory=BreakerOptions)


class Dispatcher:
    """Lets requests through to `provider` as slots, budget and its health allow."""

    def __init__(
        self,
        provider: ChatProvider,
        options: DispatchOptions,
        chance: random.Random | None = None,
        estimator: TokenEstimator | None = None,
    ) -> None:
        self._provider = provider
        self._options = options
        self._chance = chance or random.SystemRandom()
        self._limiter = trio.CapacityLimiter(options.slots)
        self._limit = AdaptiveLimit(options.slots)
        self._budget = Budget(options.budget)
        self._line = FairLine(self._limiter, self._limit, self._budget, options.queue_size)
        self._breaker = Breaker(options.breaker)
        self._retries = RetryBudget(options.retry.extra_load)
        self._estimate = TokenEstimate(estimator or TokenEstimator())
        self._tally = Tally()
        self._log = structlog.get_logger("discordianai.dispatch").bind(provider=self.name.value)

    @property
    def name(self) -> ProviderName:
        """Whose dispatcher this is."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The model that answers unless a request names another."""
        return self._provider.model

    def expected(self, request: ChatRequest) -> Usage:
        """About what the request will take."""
        return self._estimate.expected(request)

    def statistics(self) -> DispatchStatistics:
        """This moment."""
        requests_left, tokens_left = self._budget.left(trio.current_time())
        tally = self._tally
        return DispatchStatistics(
            in_flight=self._limiter.borrowed_tokens,
            waiting=self._line.waiting,
            limit=self._limit.now,
            requests_left=requests_left,
            tokens_left=tokens_left,
            breaker=self._breaker.state,
            waited=percentiles(tally.waited),
            first_chunk=percentiles(tally.first_chunk),
            last_chunk=percentiles(tally.last_chunk),
            requests=tally.requests,
            rate_limited=tally.rate_limited,
            retries=tally.retries,
            refused=tally.refused,
        )

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer's chunks, as they come. The slot is held until the block is left, however it is left.

        All waits end at `deadline`, on trio's clock. Iterating raises the errors of `ChatProvider.stream` and
        of `refusals`.
        """
        async with aclosing(self._tries(request, deadline)) as chunks:
            yield chunks

    async def _tries(self, request: ChatRequest, deadline: float) -> AsyncGenerator[Chunk, None]:
        """Try until text has come; what was shown is never begun again.

        No cancel scope is open across a yield: each wait is bounded by itself.
        """
        log = self._log.bind(question=request.number)
        self._retries.earn()
        for number in itertools.count(1):
            shown = False
            try:
                self._check_breaker()
                joined = trio.current_time()
                with self._line.place(request.person, self._estimate.of(request)) as place:
                    patience = PATIENCE
                    while not await self._admitted(place, deadline, patience):
                        yield Chunk(place_in_line=self._line.position(place))
                        patience = AGAIN
                    self._check_breaker()  # it may have opened meanwhile
                    self._tally.waited.append(trio.current_time() - joined)
                    log.debug(
                        "slot taken", in_flight=self._limiter.borrowed_tokens, waiting=self._line.waiting
                    )
                    async with AsyncExitStack() as stack:
                        attempt = stack.enter_context(self._watched(place, request, log))
                        opening = self._provider.stream(request)
                        chunks = await self._before(deadline, stack.enter_async_context, opening)
                        while chunk := await self._before(deadline, anext, chunks, None):
                            if attempt.see(chunk):
                                shown = shown or bool(chunk.text)
                                yield chunk
                        attempt.end()
                return
            except ProviderError as error:
                pause = self._pause_before_another_try(error, number, deadline)
                if shown or pause is None:
                    raise
                log.debug("trying again", reason=error.for_log, attempt=number, pause=round(pause, 2))
            await trio.sleep(pause)

    async def _admitted(self, place: Place, deadline: float, patience: float) -> bool:
        """Wait in the line, but no longer than the person should without a word."""
        try:
            if await self._line.admitted(place, min(trio.current_time() + patience, deadline)):
                return True
        except LineFull:
            self._tally.refused += 1
            raise QueueFull(self.name, "as many questions wait as may") from None
        if trio.current_time() >= deadline:
            raise DeadlinePassed(self.name, "still in the line")
        return False

    @contextmanager
    def _watched(self, place: Place, request: ChatRequest, log: FilteringBoundLogger) -> Iterator["_Attempt"]:
        """One request, from whose end the breaker, the limit and the budget learn."""
        probe, failed = self._breaker.enter(), None
        self._tally.requests += 1
        place.sent = True
        attempt = _Attempt(self._budget, self._estimate, self._tally, place, request, log)
        try:
            yield attempt
            failed = False
            self._limit.success()
        except ProviderError as error:
            failed = isinstance(error, ILL)
            self._learn(error)
            if isinstance(error, RateLimited):
                attempt.settle(0)
            log.debug("failed", reason=error.for_log)
            raise
        finally:
            attempt.settle()
            self._tell_breaker(failed, probe=probe)

    async def _before(self, deadline: float, call: Callable[..., Awaitable[Result]], *args: object) -> Result:
        with trio.CancelScope(deadline=deadline):
            return await call(*args)
        raise DeadlinePassed(self.name, "the answer was not complete")

    def _pause_before_another_try(self, error: ProviderError, number: int, deadline: float) -> float | None:
        """Seconds; None where there is to be no other try."""
        if not error.safe_to_retry or number >= self._options.retry.max_attempts:
            return None
        pause = retry.delay(self._options.retry, number, error, self._chance)
        if trio.current_time() + pause >= deadline or not self._retries.take():
            return None
        self._tally.retries += 1
        return pause

    def _check_breaker(self) -> None:
        if seconds := self._breaker.wait(trio.current_time()):
            self._tally.refused += 1
            raise BreakerOpen(self.name, "the circuit breaker is open", seconds)

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


class _Attempt:
    """What has come of one request so far."""

    def __init__(
        self,
        budget: Budget,
        estimate: TokenEstimate,
        tally: Tally,
        place: Place,
        request: ChatRequest,
        log: FilteringBoundLogger,
    ) -> None:
        self._budget = budget
        self._estimate = estimate
        self._tally = tally
        self._place = place
        self._request = request
        self._log = log
        self._began = trio.current_time()
        self._texts: list[str] = []
        self._heard = self._settled = False

    def see(self, chunk: Chunk) -> bool:
        """Learn from a chunk; whether it says something to others, too."""
        if chunk.limits is not None:
            self._budget.believe(chunk.limits, trio.current_time())
            return False
        if not self._heard:
            self._heard = True
            seconds = trio.current_time() - self._began
            self._tally.first_chunk.append(seconds)
            self._log.debug("first words", seconds=round(seconds, 3))
        if chunk.text:
            self._texts.append(chunk.text)
        if chunk.usage is not None:
            self._estimate.learn(self._request, chunk.usage)
            self.settle(chunk.usage.input_tokens + chunk.usage.output_tokens)
        return True

    def end(self) -> None:
        """The answer came whole."""
        seconds = trio.current_time() - self._began
        self._tally.last_chunk.append(seconds)
        self._log.debug("complete", seconds=round(seconds, 3))

    def settle(self, tokens: float | None = None) -> None:
        """So many tokens it took; None where the provider has not said.

        It charges when it admits a request, so that one that was left early costs what was expected of it.
        """
        if self._settled or self._place.spending is None:
            return
        self._settled = True
        if tokens is None:
            came = self._estimate.of_text(self._request, "".join(self._texts))
            tokens = max(self._place.tokens, self._estimate.of_question(self._request) + came)
        self._budget.settle(self._place.spending, tokens, trio.current_time())
