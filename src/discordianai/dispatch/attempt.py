"""One request to a provider: what has come of it so far, and what it adds to the figures."""

import trio
from structlog.typing import FilteringBoundLogger

from discordianai.dispatch.budget import Budget
from discordianai.dispatch.dispatcher_statistics import DispatchCounter, RequestOutcome, outcome_of
from discordianai.dispatch.fair_queue import FairQueueEntry
from discordianai.dispatch.token_estimator import RequestEstimator
from discordianai.providers.errors import ProviderError, RateLimited
from discordianai.providers.events import Event, LimitsReport, TextDelta, UsageReport
from discordianai.records import ChatRequest, ToolCall


class Attempt:
    """Begins when it is made; `close` must follow, whatever happens. `probe`: it tests an open breaker."""

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
        self._any_event = self._settled = self._called = False
        self._outcome = RequestOutcome.STOPPED
        self.probe = probe

    @property
    def shown(self) -> bool:
        """Whether text has come, or a call of a tool: neither is ever begun again."""
        return bool(self._texts) or self._called

    def see(self, event: Event) -> None:
        """Learn from an event."""
        match event:
            case LimitsReport(limits):
                self._budget.believe(limits, trio.current_time())
                return
            case TextDelta(text):
                self._texts.append(text)
            case ToolCall():
                self._called = True
            case UsageReport(usage):
                self._estimator.learn(self._request, usage)
                self._counter.used(self._request.model, usage)
                self._settle(usage.input_tokens + usage.output_tokens)
        if not self._any_event:
            self._any_event = True
            seconds = trio.current_time() - self._began
            self._counter.first_chunk.note(seconds)
            self._log.debug("first words", seconds=round(seconds, 3))

    def succeed(self) -> None:
        """The answer is complete."""
        self._outcome = RequestOutcome.ANSWERED
        seconds = trio.current_time() - self._began
        self._counter.last_chunk.note(seconds)
        self._log.debug("complete", seconds=round(seconds, 3))

    def fail(self, error: Exception) -> None:
        """There is no answer, or only a part of one."""
        if not isinstance(error, ProviderError):
            self._outcome = RequestOutcome.FAILED
            return
        self._outcome = RequestOutcome.CUT if self._texts else outcome_of(error)
        if isinstance(error, RateLimited):
            self._settle(0)
        self._log.debug("failed", reason=error.for_log)

    def close(self) -> None:
        """It is over; one that has neither succeeded nor failed was stopped."""
        try:
            self._settle()
        finally:
            self._counter.ended(self._request.model, self._outcome)

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
