"""One attempt at a provider, and when another one is made."""

import random
from dataclasses import dataclass
from typing import Self

import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.budget import Budget
from discordianai.dispatch.dispatcher_statistics import DispatchCounter, RequestOutcome, outcome_of
from discordianai.dispatch.fair_queue import FairQueueEntry
from discordianai.dispatch.token_estimator import RequestEstimator
from discordianai.providers.errors import Overloaded, ProviderError, RateLimited
from discordianai.providers.port import (
    Event,
    FurtherRequest,
    LimitsReport,
    OutputBegan,
    TextDelta,
    UsageReport,
)
from discordianai.records import ChatRequest, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """`extra_load` is the part of all requests that may be retries. Times in seconds."""

    first_delay: float = 0.5
    longest_delay: float = 20.0
    extra_load: float = 0.1


class RetryBudget:
    """Each request earns a part of a retry; `reserve` of them are there from the beginning."""

    def __init__(self, extra_load: float, reserve: float = 5.0) -> None:
        self._extra_load = extra_load
        self._most = self._earned = reserve

    def earn(self) -> None:
        """A request was sent for the first time."""
        self._earned = min(self._earned + self._extra_load, self._most)

    def take(self) -> bool:
        """Whether one may be sent again."""
        if self._earned < 1:
            return False
        self._earned -= 1
        return True


def asked_pause(error: ProviderError) -> float | None:
    """Seconds for which the provider wants no request at all, if it said so."""
    return error.retry_after if isinstance(error, RateLimited | Overloaded) else None


def backoff(options: RetryOptions, attempt: int, error: ProviderError, chance: random.Random) -> float:
    """Seconds to wait after the failure of `attempt`, counted from 1: full jitter.

    0 where the provider asked for a pause: that holds everybody, and is waited for in the queue. One that is
    shorter than the first delay is none: some answer 0, or a date that has passed, to each request.
    """
    if (asked_pause(error) or 0.0) >= options.first_delay:
        return 0.0
    return chance.uniform(0, min(options.first_delay * 2 ** (attempt - 1), options.longest_delay))


class Attempt:
    """One request. Begins when it is made, and ends with the block; `probe`: it tests an open breaker.

    One that has neither succeeded nor failed by then was stopped.
    """

    def __init__(
        self,
        budget: Budget,
        estimator: RequestEstimator,
        counter: DispatchCounter,
        entry: FairQueueEntry,
        request: ChatRequest,
        log: FilteringBoundLogger,
        *,
        probe: bool = False,
    ) -> None:
        self._budget = budget
        self._estimator = estimator
        self._counter = counter
        self._entry = entry
        self._request = request
        self._log = log
        self._began = trio.current_time()
        self._texts: list[str] = []
        self.silent = True
        """Whether nothing of an answer has come."""
        self._any_event = self._settled = self._called = False
        self._outcome = RequestOutcome.STOPPED
        self.probe = probe

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        try:
            if isinstance(error, Exception):
                self._fail(error)
            self._settle()
        finally:
            self._counter.ended(self._request.model, self._outcome)

    @property
    def shown(self) -> bool:
        """Whether text has come, or a call of a tool: neither is ever begun again."""
        return bool(self._texts) or self._called

    @property
    def seconds(self) -> float:
        """Since it began."""
        return trio.current_time() - self._began

    def see(self, event: Event) -> None:
        """Learn from an event."""
        self.silent = False
        match event:
            case LimitsReport(limits):
                self._budget.believe(limits, trio.current_time())
                return
            case OutputBegan():
                return
            case FurtherRequest():
                self._count_request(trio.current_time())
                return
            case TextDelta(text):
                self._texts.append(text)
            case ToolCall():
                self._called = True
            case UsageReport(usage):
                self._estimator.learn(self._request, usage)
                self._count(usage)
        if not self._any_event:
            self._any_event = True
            seconds = trio.current_time() - self._began
            self._counter.first_chunk.note(seconds)
            self._log.debug("first words", seconds=round(seconds, 3))

    def _count(self, usage: Usage) -> None:
        self._counter.used(self._request.model, usage)
        self._settle(usage.input_tokens + usage.output_tokens)

    def _count_request(self, now: float) -> None:
        """One more, of no tokens: it is sent in any case, and others wait for it."""
        self._budget.reserve(0, now)
        if self._entry.of_model is not None:
            self._entry.of_model.reserve(0, now)

    def succeed(self) -> None:
        """The answer is complete."""
        self._outcome = RequestOutcome.ANSWERED
        seconds = trio.current_time() - self._began
        self._counter.last_chunk.note(seconds)
        self._log.debug("complete", seconds=round(seconds, 3))

    def succeed_without_stream(self, usage: Usage | None) -> None:
        """A request that is not a question is answered, and says nothing of how long answers are and take."""
        self._outcome = RequestOutcome.ANSWERED
        if usage is not None:
            self._count(usage)

    def _fail(self, error: Exception) -> None:
        """There is no answer, or only a part of one."""
        if not isinstance(error, ProviderError):
            self._outcome = RequestOutcome.FAILED
            return
        self._outcome = RequestOutcome.CUT if self._texts else outcome_of(error)
        if isinstance(error, RateLimited):
            self._counter.rate_limited += 1
            self._settle(0)
        self._log.debug("failed", reason=error.for_log)

    def _settle(self, tokens: float | None = None) -> None:
        """The tokens that it used; None where the provider has not said.

        A provider charges when it admits a request, so that one left early costs what was expected of it.
        """
        if self._settled or self._entry.reservation is None:
            return
        self._settled = True
        if tokens is None:
            came = self._estimator.of_text(self._request, "".join(self._texts))
            tokens = max(self._entry.tokens, self._estimator.of_question(self._request) + came)
        now = trio.current_time()
        self._budget.settle(self._entry.reservation, tokens, now)
        if self._entry.of_model is not None and self._entry.model_reservation is not None:
            self._entry.of_model.settle(self._entry.model_reservation, tokens, now)
