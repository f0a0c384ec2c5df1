"""The one way to a provider: a place in the line, a slot, budget, and another try where that is safe."""

import itertools
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch import retry
from discordianai.dispatch.adaptive_limit import AdaptiveLimit
from discordianai.dispatch.breaker import Breaker, BreakerOptions
from discordianai.dispatch.budget import Budget, BudgetOptions
from discordianai.dispatch.estimate import TokenEstimate
from discordianai.dispatch.fair_line import FairLine, LineFull, Place
from discordianai.dispatch.refusals import BreakerOpen, DeadlinePassed, QueueFull
from discordianai.dispatch.retry import RetryBudget, RetryOptions
from discordianai.dispatch.statistics import DispatchStatistics, Tally, percentiles
from discordianai.model import ChatRequest, Chunk, ProviderName
from discordianai.providers.errors import (
    ConnectionLost,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
)
from discordianai.providers.port import ChatProvider

ILL = (Overloaded, ConnectionLost, TimedOut)
"""What counts against a provider; a wrong key or a refused question does not make it ill."""


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
        self, provider: ChatProvider, options: DispatchOptions, chance: random.Random | None = None
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
        self._estimate = TokenEstimate()
        self._tally = Tally()

    @property
    def name(self) -> ProviderName:
        """Whose dispatcher this is."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The model that answers unless a request names another."""
        return self._provider.model

    def statistics(self) -> DispatchStatistics:
        """This moment."""
        requests_left, tokens_left = self._budget.left(trio.current_time())
        return DispatchStatistics(
            in_flight=self._limiter.borrowed_tokens,
            waiting=self._line.waiting,
            limit=self._limit.now,
            requests_left=requests_left,
            tokens_left=tokens_left,
            breaker=self._breaker.state,
            first_chunk=percentiles(self._tally.first_chunk),
            last_chunk=percentiles(self._tally.last_chunk),
            requests=self._tally.requests,
            rate_limited=self._tally.rate_limited,
            retries=self._tally.retries,
        )

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer's chunks, as they come. The slot is held until the block is left, however it is left.

        All waits end at `deadline`, on trio's clock. Iterating raises the errors of `ChatProvider.stream` and
        of `refusals`.
        """
        log = structlog.get_logger("discordianai.dispatch").bind(
            question=request.number, provider=self.name.value
        )
        async with aclosing(self._tries(request, deadline, log)) as chunks:
            yield chunks

    async def _tries(
        self, request: ChatRequest, deadline: float, log: FilteringBoundLogger
    ) -> AsyncGenerator[Chunk, None]:
        """Try until text has come; what was shown is never begun again."""
        self._retries.earn()
        for number in itertools.count(1):
            shown = False
            try:
                async with aclosing(self._attempt(request, deadline, log)) as chunks:
                    async for chunk in chunks:
                        shown = shown or bool(chunk.text)
                        yield chunk
                return
            except ProviderError as error:
                if shown or not error.safe_to_retry or number >= self._options.retry.max_attempts:
                    raise
                pause = retry.delay(self._options.retry, number, error, self._chance)
                if trio.current_time() + pause >= deadline or not self._retries.take():
                    raise
                log.debug("trying again", reason=error.for_log, attempt=number, pause=round(pause, 2))
            self._tally.retries += 1
            await trio.sleep(pause)

    async def _attempt(
        self, request: ChatRequest, deadline: float, log: FilteringBoundLogger
    ) -> AsyncGenerator[Chunk, None]:
        self._check_breaker()
        place = await self._wait_in_line(request, deadline)
        try:
            self._check_breaker()  # it may have opened meanwhile
            log.debug("slot taken", in_flight=self._limiter.borrowed_tokens, waiting=self._line.waiting)
            async with aclosing(self._watched(request, place, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._line.leave(place)

    async def _watched(
        self, request: ChatRequest, place: Place, deadline: float
    ) -> AsyncGenerator[Chunk, None]:
        """One request, from whose end the breaker and the limit learn."""
        probe, failed = self._breaker.enter(), None
        self._tally.requests += 1
        try:
            async with aclosing(self._ask(request, place, deadline)) as chunks:
                async for chunk in chunks:
                    yield chunk
            failed = False
            self._limit.success()
        except ProviderError as error:
            failed = isinstance(error, ILL)
            self._learn(error)
            raise
        finally:
            self._breaker.leave(trio.current_time(), failed=failed, probe=probe)
            if probe and failed is False:
                self._limit.well_again()

    async def _wait_in_line(self, request: ChatRequest, deadline: float) -> Place:
        with trio.CancelScope(deadline=deadline):
            try:
                return await self._line.enter(request.person, self._estimate.of(request))
            except LineFull:
                raise QueueFull(self.name, "as many questions wait as may") from None
        raise DeadlinePassed(self.name, "still in the line")

    async def _ask(self, request: ChatRequest, place: Place, deadline: float) -> AsyncGenerator[Chunk, None]:
        """One request. Each wait is bounded by itself, as no cancel scope may be open across a yield."""
        began = trio.current_time()
        first = True
        async with AsyncExitStack() as stack:
            with trio.CancelScope(deadline=deadline) as scope:
                chunks = await stack.enter_async_context(self._provider.stream(request))
            while not scope.cancelled_caught:
                with trio.CancelScope(deadline=deadline) as scope:
                    chunk = await anext(chunks, None)
                if scope.cancelled_caught:
                    break
                if chunk is None:
                    self._tally.last_chunk.append(trio.current_time() - began)
                    return
                if chunk.limits is not None:
                    self._budget.believe(chunk.limits, trio.current_time())
                    continue
                if first:
                    self._tally.first_chunk.append(trio.current_time() - began)
                    first = False
                if chunk.usage is not None and place.spending is not None:
                    tokens = chunk.usage.input_tokens + chunk.usage.output_tokens
                    self._budget.settle(place.spending, tokens, trio.current_time())
                    self._estimate.learn(chunk.usage.output_tokens)
                yield chunk
        raise DeadlinePassed(self.name, "the answer was not complete")

    def _check_breaker(self) -> None:
        if seconds := self._breaker.wait(trio.current_time()):
            raise BreakerOpen(self.name, "the circuit breaker is open", seconds)

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
