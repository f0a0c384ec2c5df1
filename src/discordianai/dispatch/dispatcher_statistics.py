"""The figures of a dispatcher, and the metrics that they are."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from discordianai.dispatch.breaker import BreakerReason, BreakerState
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.metric import By, Latencies, Latency, Metric
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    EndpointNotFound,
    MalformedAnswer,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from discordianai.records import Usage

MINUTES = 5
"""Minutes that `DispatchStatistics.busiest` is about: longer than most intervals at which it is read."""

MOST_MODELS = 50
"""Models counted separately. A channel's model is an admin's free text, and each counter stays in memory."""

OTHER_MODELS = "other"


class RequestOutcome(StrEnum):
    """How one request to a provider ended."""

    ANSWERED = "answered"
    CUT = "cut"
    """It broke off after text was shown."""
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    AUTHENTICATION = "authentication"
    QUOTA = "quota"
    BAD_REQUEST = "bad_request"
    MODEL_NOT_FOUND = "model_not_found"
    PERMISSION = "permission"
    """The account may not do that, such as use the model."""
    ENDPOINT_NOT_FOUND = "endpoint_not_found"
    MALFORMED = "malformed"
    """The answer could not be read."""
    STOPPED = "stopped"
    """It was cancelled."""
    FAILED = "failed"
    """Anything else, bugs included."""


_OUTCOMES: Mapping[type[ProviderError], RequestOutcome] = {
    RateLimited: RequestOutcome.RATE_LIMITED,
    Overloaded: RequestOutcome.OVERLOADED,
    TimedOut: RequestOutcome.TIMED_OUT,
    DeadlinePassed: RequestOutcome.TIMED_OUT,
    ConnectionLost: RequestOutcome.CONNECTION_LOST,
    AuthenticationFailed: RequestOutcome.AUTHENTICATION,
    QuotaExhausted: RequestOutcome.QUOTA,
    BadRequest: RequestOutcome.BAD_REQUEST,
    ModelNotFound: RequestOutcome.MODEL_NOT_FOUND,
    PermissionDenied: RequestOutcome.PERMISSION,
    EndpointNotFound: RequestOutcome.ENDPOINT_NOT_FOUND,
    MalformedAnswer: RequestOutcome.MALFORMED,
}


def outcome_of(error: ProviderError) -> RequestOutcome:
    """Of a request that failed before anything was shown."""
    return next(
        (outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), RequestOutcome.FAILED
    )


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """Totals of one model: requests that have ended, and tokens that the provider has counted."""

    outcomes: Annotated[
        Mapping[RequestOutcome, int],
        Metric("requests_total", "Requests that have ended, by outcome", ("outcome",)),
    ] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(
        self,
    ) -> Annotated[
        Mapping[str, int], Metric("tokens_total", "Tokens counted by the provider", ("direction",))
    ]:
        """By direction."""
        return {"input": self.input_tokens, "output": self.output_tokens}


@dataclass(frozen=True, slots=True)
class DispatchStatistics:
    """One moment of a dispatcher. What is left of the budget, and its limits, are a minute's; totals are
    since the start. Of those `refused`, `queue_full` met a full queue; the others an open breaker, or a wait
    longer than their deadline.

    `breaker_reason` is why the breaker is not closed. `pause` holds all requests, or all but probes.
    """

    in_flight: Annotated[int, Metric("requests_in_flight", "Requests in flight")] = 0
    waiting: Annotated[int, Metric("queue_depth", "Questions waiting for a slot or for budget")] = 0
    limit: Annotated[
        int, Metric("requests_in_flight_limit", "Requests that may be in flight at the moment")
    ] = 0
    requests_left: Annotated[
        float, Metric("budget_requests_left", "Requests left in this minute's budget")
    ] = math.inf
    tokens_left: Annotated[float, Metric("budget_tokens_left", "Tokens left in this minute's budget")] = (
        math.inf
    )
    breaker: BreakerState = BreakerState.CLOSED
    breaker_reason: BreakerReason | None = None
    next_probe: Annotated[
        float,
        Metric("breaker_next_probe_seconds", "Time until an open circuit breaker lets a request through"),
    ] = 0.0
    pause: Annotated[
        float, Metric("provider_pause_seconds", "Time left of the pause that the provider asked for")
    ] = 0.0
    waited: Annotated[
        Latency, Metric("queue_wait_seconds", "Time in the queue before a request was sent")
    ] = field(default_factory=Latency)
    first_chunk: Annotated[
        Latency, Metric("first_chunk_seconds", "Time from sending a request to the first chunk of its answer")
    ] = field(default_factory=Latency)
    last_chunk: Annotated[
        Latency, Metric("last_chunk_seconds", "Time from sending a request to the last chunk of its answer")
    ] = field(default_factory=Latency)
    requests: Annotated[int, Metric("requests_sent_total", "Requests sent")] = 0
    rate_limited: Annotated[int, Metric("rate_limited_total", "Requests answered with 429")] = 0
    retries: Annotated[int, Metric("retries_total", "Requests sent again")] = 0
    refused: Annotated[
        int,
        Metric(
            "queue_refused_total",
            "Questions refused because the queue was full, the breaker open or the wait too long",
            notable=True,
        ),
    ] = 0
    queue_full: Annotated[int, Metric("queue_full_total", "Questions refused because the queue was full")] = 0
    busiest: Annotated[
        int,
        Metric("requests_in_flight_peak", f"Most requests in flight at once in the last {MINUTES} minutes"),
    ] = 0
    requests_limit: Annotated[float, Metric("budget_requests", "Requests allowed per minute")] = math.inf
    tokens_limit: Annotated[float, Metric("budget_tokens", "Tokens allowed per minute")] = math.inf
    models: Annotated[Mapping[str, ModelStatistics], By("model")] = field(default_factory=dict)

    @property
    def breaker_states(
        self,
    ) -> Annotated[
        Mapping[str, bool],
        Metric("breaker_state", "1 for the current state of the circuit breaker", ("state",)),
    ]:
        """Whether it is in each of them."""
        return {state.name.lower(): self.breaker is state for state in BreakerState}

    @property
    def breaker_reasons(
        self,
    ) -> Annotated[
        Mapping[str, bool],
        Metric("breaker_reason", "1 for why the circuit breaker is not closed", ("reason",)),
    ]:
        """Whether it is each of them."""
        return {reason.value: self.breaker_reason is reason for reason in BreakerReason}


@dataclass(slots=True)
class _Model:
    outcomes: Counter[RequestOutcome] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class DispatchCounter:
    """Counts as it happens. Times are on the caller's clock, in seconds."""

    requests: int = 0
    rate_limited: int = 0
    retries: int = 0
    wait_too_long: int = 0
    queue_full: int = 0
    waited: Latencies = field(default_factory=Latencies)
    first_chunk: Latencies = field(default_factory=Latencies)
    last_chunk: Latencies = field(default_factory=Latencies)
    _models: dict[str, _Model] = field(default_factory=dict)
    _busy: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MINUTES))

    def sent(self, in_flight: int, now: float) -> None:
        """A request is sent; `in_flight` counts it."""
        self.requests += 1
        minute = int(now // 60)
        if not self._busy or self._busy[-1][0] != minute:
            self._busy.append((minute, in_flight))
        elif in_flight > self._busy[-1][1]:
            self._busy[-1] = (minute, in_flight)

    def ended(self, model: str, outcome: RequestOutcome) -> None:
        """A request has ended."""
        self._of(model).outcomes[outcome] += 1

    def used(self, model: str, usage: Usage) -> None:
        """The provider has counted the tokens of a request."""
        figures = self._of(model)
        figures.input_tokens += usage.input_tokens
        figures.output_tokens += usage.output_tokens

    def _of(self, model: str) -> _Model:
        figures = self._models.get(model)
        if figures is None:
            model = model if len(self._models) < MOST_MODELS else OTHER_MODELS
            figures = self._models.setdefault(model, _Model())
        return figures

    def statistics(self, now: float) -> DispatchStatistics:
        """The totals; what a moment has is left at its defaults."""
        return DispatchStatistics(
            waited=self.waited.now(),
            first_chunk=self.first_chunk.now(),
            last_chunk=self.last_chunk.now(),
            requests=self.requests,
            rate_limited=self.rate_limited,
            retries=self.retries,
            refused=self.queue_full + self.wait_too_long,
            queue_full=self.queue_full,
            busiest=max((most for minute, most in self._busy if minute > now // 60 - MINUTES), default=0),
            models={
                name: ModelStatistics(dict(model.outcomes), model.input_tokens, model.output_tokens)
                for name, model in self._models.items()
            },
        )
