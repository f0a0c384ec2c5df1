"""The only way to a provider: queue, slot, budget, circuit breaker, and retries where they are safe."""

import itertools
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.attempt import Attempt, RetryBudget, RetryOptions, asked_pause, backoff
from discordianai.dispatch.breaker import AdaptiveLimit, BreakerOptions
from discordianai.dispatch.budget import PERIOD, Budget, BudgetOptions
from discordianai.dispatch.dispatcher_statistics import DispatchCounter, DispatchStatistics
from discordianai.dispatch.fair_queue import FairQueue, FairQueueEntry, FairQueueFull
from discordianai.dispatch.health import ProviderHealth
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import (
    BeyondTheMinute,
    DeadlinePassed,
    QueueFull,
    WaitTooLong,
    duration,
)
from discordianai.dispatch.token_estimator import RequestEstimator, TokenEstimator
from discordianai.option import Live
from discordianai.providers.errors import AskedToWait, ProviderError, TimedOut
from discordianai.providers.port import ChatProvider, Event
from discordianai.records import ChatRequest, Provider, Usage

FIRST_POSITION, NEXT_POSITION = 2.0, 5.0
"""Seconds in the queue until the person is told the position, and from then on."""


@dataclass(frozen=True, slots=True)
class DispatcherOptions:
    """`slots` equals the pool's `max_connections`; `models` has the budgets of models that have their own."""

    slots: int
    dispatch: DispatchOptions = field(default_factory=DispatchOptions)
    budget: BudgetOptions = field(default_factory=BudgetOptions)
    retry: RetryOptions = field(default_factory=RetryOptions)
    breaker: BreakerOptions = field(default_factory=BreakerOptions)
    models: Mapping[str, BudgetOptions] = field(default_factory=lambda: MappingProxyType({}))


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
        self._model_budgets = {model: Budget(own) for model, own in options.models.items()}
        self._queue = FairQueue(self._limiter, self._limit, self._budget, options.dispatch.queue_size)
        self._retries = RetryBudget(options.retry.extra_load)
        self._estimator = RequestEstimator(estimator or TokenEstimator())
        self._counter = DispatchCounter()
        self._log = structlog.get_logger("discordianai.dispatch.dispatcher").bind(provider=self.name)
        self._health = ProviderHealth(
            self.provider,
            self._limit,
            options.breaker,
            self._log,
            pause=self._hold,
            refuse_waiting=self._refuse_waiting,
        )
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

    @property
    def is_well(self) -> bool:
        """Whether its breaker lets every question through."""
        return self._health.closed

    def expected(self, request: ChatRequest) -> Usage:
        """About how many tokens the request will take."""
        return self._estimator.expected(request)

    def statistics(self) -> DispatchStatistics:
        """This moment."""
        now, in_flight = trio.current_time(), self._limiter.borrowed_tokens
        requests_left, tokens_left = self._budget.remaining(now)
        requests_limit, tokens_limit = self._budget.limits
        state, next_probe, pause = self._health.state_at(now)
        counted = self._counter.statistics(now)
        return replace(
            counted,
            in_flight=in_flight,
            waiting=len(self._queue),
            limit=self._limit.current,
            requests_left=requests_left,
            tokens_left=tokens_left,
            refused=counted.refused + self._health.refusals,
            breaker=state,
            breaker_reason=self._health.reason,
            next_probe=next_probe,
            pause=max(self._budget.pause_left(now), pause),
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
        self._reconfigure_models(options.models)
        self._options = options
        self._queue.serve()

    def _reconfigure_models(self, models: Mapping[str, BudgetOptions]) -> None:
        """What was spent still counts. Who waits for a budget that is there no more goes on."""
        for model in self._model_budgets.keys() - models.keys():
            self._model_budgets[model].reconfigure(BudgetOptions())
        budgets = {model: self._model_budgets.get(model) or Budget(own) for model, own in models.items()}
        for model, own in models.items():
            if own != self._options.models.get(model, own):
                budgets[model].reconfigure(own)
        self._model_budgets = budgets

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf, *, others: bool = False
    ) -> AsyncIterator[AsyncIterator[Event | QueuePosition]]:
        """The answer's events, as they come. The slot is held until the block is left, however it is left.

        All waits end at `deadline`, on trio's clock, those for further words by the provider; what is
        certain to take longer is refused at once. Where `others` may answer instead, silence takes at most
        half of the time that is left. Iterating raises the errors of `ChatProvider.stream` and of `refusals`.
        """
        async with aclosing(self._events(request, deadline, others=others)) as events:
            yield events

    @contextmanager
    def at_once(self, request: ChatRequest, expected: Usage) -> Iterator[Attempt | None]:
        """A small request that the bot can do without: None where it would wait, or nothing is to be sent.

        It takes a slot and budget as a question does, if questions have enough left. The caller sends it
        within the block, and bounds its time.
        """
        tokens = expected.input_tokens + expected.output_tokens
        with self._queue.at_once(tokens, self._model_budgets.get(request.model)) as entry:
            if entry is None or not self._health.closed:
                yield None
                return
            with (
                self._health.side_request(),
                self._begin(entry, request, self._log.bind(question=request.number)) as attempt,
            ):
                yield attempt

    async def _events(
        self, request: ChatRequest, deadline: float, *, others: bool
    ) -> AsyncGenerator[Event | QueuePosition, None]:
        """Try until text, or a call of a tool, has come; neither is ever begun again.

        No cancel scope is open across a yield: each wait is bounded by itself.
        """
        log = self._log.bind(question=request.number)
        tokens = self._estimator.tokens(request)  # once: it reads the whole conversation
        self._check_size(request, tokens)
        self._retries.earn()
        for number in itertools.count(1):
            async with self._try(number, deadline, log) as this:  # swallows what another try may help
                self._health.check()
                entry = this.enter_context(self._enqueue(request, tokens, deadline))
                told_after = FIRST_POSITION
                while not await self._granted(entry, told_after):
                    yield QueuePosition(self._queue.position(entry))
                    told_after = NEXT_POSITION
                probe = this.enter_context(self._health.question(again=number > 1))
                self._counter.waited.note(trio.current_time() - entry.since)
                this.attempt = attempt = this.enter_context(self._begin(entry, request, log, probe=probe))
                next_event = self._opening(request, deadline, this)
                given_up_at = self._end_of_silence(deadline, probe=probe, others=others)
                while event := await self._before(deadline, given_up_at, attempt, next_event):
                    given_up_at = math.inf
                    self._see(attempt, event)
                    yield event
                attempt.succeed()
                return

    @asynccontextmanager
    async def _try(self, number: int, deadline: float, log: FilteringBoundLogger) -> AsyncIterator["_Try"]:
        """A failure that another try may help ends here, after the pause before that: the loop goes on."""
        this = _Try()
        try:
            async with this:
                yield this
            return
        except ProviderError as error:
            pause = None if this.shown else self._pause_before_retry(error, number, deadline, this.took)
            if pause is None:
                self._name_next_try(error)
                raise
            log.debug("trying again", reason=error.for_log, attempt=number, pause=round(pause, 2))
        await self._health.sleep_unless_opened(pause)

    def _enqueue(
        self, request: ChatRequest, tokens: float, deadline: float
    ) -> AbstractContextManager[FairQueueEntry]:
        of_model = self._model_budgets.get(request.model)
        return self._queue.enqueue(request.person, tokens, deadline, of_model)

    def _opening(
        self, request: ChatRequest, deadline: float, stack: AsyncExitStack
    ) -> Callable[[], Awaitable[Event | None]]:
        """Gives the next event at each call, None behind the last; the first call sends the request, too.

        One bounded wait instead of two: entering and leaving it is a good part of what a request costs.
        """
        events: AsyncIterator[Event] | None = None

        async def next_event() -> Event | None:
            nonlocal events
            if events is None:
                events = await stack.enter_async_context(self._provider.stream(request, deadline))
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

    def _begin(
        self, entry: FairQueueEntry, request: ChatRequest, log: FilteringBoundLogger, *, probe: bool = False
    ) -> Attempt:
        """One request, from whose end the budget learns."""
        now, in_flight = trio.current_time(), self._limiter.borrowed_tokens
        log.debug("slot taken", in_flight=in_flight, waiting=len(self._queue))
        self._counter.sent(in_flight, now)
        entry.sent = True
        return Attempt(self._budget, self._estimator, self._counter, entry, request, log, probe=probe)

    def _see(self, attempt: Attempt, event: Event) -> None:
        shown = attempt.shown
        if attempt.silent:
            self._health.first_sign(attempt.seconds)
        attempt.see(event)
        if attempt.shown and (attempt.probe or not shown):
            self._health.first_words(probe=attempt.probe)

    def _end_of_silence(self, deadline: float, *, probe: bool, others: bool) -> float:
        now = trio.current_time()
        patience = self._health.patience if probe else math.inf
        half = max((deadline - now) / 2, self._health.usual_patience)
        return now + min(patience, half if others else math.inf)

    async def _before(
        self,
        deadline: float,
        given_up_at: float,
        attempt: Attempt,
        call: Callable[[], Awaitable[Event | None]],
    ) -> Event | None:
        try:
            # From the first words on the provider keeps the deadline: a scope is 6 % of what a token costs.
            if attempt.shown:
                return await call()
            with trio.CancelScope(deadline=min(deadline, given_up_at)):
                return await call()
        except TimedOut:
            if trio.current_time() < deadline:
                raise
        if given_up_at < deadline:
            raise TimedOut(self.provider, "no sign of an answer in time")
        silent = attempt.silent and attempt.seconds >= self._options.breaker.patience
        raise DeadlinePassed(self.provider, "the answer was not complete", silent)

    def _pause_before_retry(
        self, error: ProviderError, number: int, deadline: float, took: float
    ) -> float | None:
        """Seconds; None where there is to be no other try.

        There is also none if a retry as long as this attempt (`took`) would leave another provider less time
        than that: a provider that stalls would take all of a question's time.
        """
        now = trio.current_time()
        most = self._options.dispatch.max_attempts
        if not error.safe_to_retry or number >= most or self._health.delay():
            return None
        pause = backoff(self._options.retry, number, error, self._chance)
        again = now + max(pause, asked_pause(error) or 0.0)
        if again + 2 * took >= deadline or not self._retries.take():
            return None
        self._counter.retries += 1
        return pause

    def _name_next_try(self, error: ProviderError) -> None:
        """Whoever meets a pause is told how long it is, as those are who come later."""
        if isinstance(error, AskedToWait) and error.retry_after is not None:
            error.next_try = duration(self._health.delay() or error.retry_after)

    def _check_size(self, request: ChatRequest, tokens: float) -> None:
        """A request of more tokens than a minute has would wait for an empty minute, and take all of it."""
        self._budget.forget_old_news(trio.current_time())
        _, most = self._budget.limits
        if (of_model := self._model_budgets.get(request.model)) is not None:
            most = min(most, of_model.limits[1])
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
        if entry.of_model is not None:
            wait = max(wait, entry.of_model.least_wait(entry.tokens, now))
        if wait < left or not wait:
            return None
        self._counter.wait_too_long += 1
        return WaitTooLong(self.provider, f"{wait:.1f} s to wait, and {left:.1f} s left", wait)

    def _hold(self, seconds: float) -> None:
        """The provider asks all requests to wait."""
        self._budget.pause(seconds, trio.current_time())
        self._queue.refuse_where(self._too_late)

    def _refuse_waiting(self) -> None:
        self._queue.refuse_where(lambda _entry: self._health.refusal())


class _Try(AsyncExitStack):
    """What one try holds: a place in the queue, then a slot, and the request."""

    attempt: Attempt | None = None

    @property
    def shown(self) -> bool:
        """See `Attempt.shown`."""
        return self.attempt is not None and self.attempt.shown

    @property
    def took(self) -> float:
        """Seconds since its request was sent; 0 where none was."""
        return 0.0 if self.attempt is None else self.attempt.seconds
