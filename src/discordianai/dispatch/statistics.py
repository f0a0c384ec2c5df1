"""What a dispatcher tells about itself."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.latencies import Latencies, Latency
from discordianai.model import Usage
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)

MINUTES = 5
"""For which `DispatchStatistics.busiest` is told: longer than most pauses between two looks at it."""

MOST_MODELS = 50
"""That are counted apart. A channel's model is an admin's free text, and each one counted stays in memory."""

OTHER_MODELS = "other"


class Outcome(StrEnum):
    """What became of one request to a provider."""

    ANSWERED = "answered"
    CUT = "cut"
    """It broke off after text was shown, for whatever reason."""
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"
    AUTHENTICATION = "authentication"
    QUOTA = "quota"
    BAD_REQUEST = "bad_request"
    STOPPED = "stopped"
    """Nobody wanted it any more."""
    FAILED = "failed"
    """Anything else, bugs included."""


_OUTCOMES: Mapping[type[ProviderError], Outcome] = {
    RateLimited: Outcome.RATE_LIMITED,
    Overloaded: Outcome.OVERLOADED,
    TimedOut: Outcome.TIMED_OUT,
    DeadlinePassed: Outcome.TIMED_OUT,
    ConnectionLost: Outcome.CONNECTION_LOST,
    AuthenticationFailed: Outcome.AUTHENTICATION,
    QuotaExhausted: Outcome.QUOTA,
    BadRequest: Outcome.BAD_REQUEST,
}


def outcome_of(error: ProviderError) -> Outcome:
    """Of a request that failed before anything was shown."""
    return next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """Totals of one model: requests that have ended, and the tokens that the provider has counted."""

    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class DispatchStatistics:
    """One moment of a dispatcher. `limit` is how many may be in flight now, `busiest` how many were at once
    in the last `MINUTES` minutes; what is left of the budget, and its limits, are of a minute's.

    `waited` is the time in the line of those that were sent; `first_chunk` and `last_chunk` count from there.
    `requests` and what follows are totals; of those `refused`, `line_full` met a full line, and the others an
    open breaker.
    """

    in_flight: int
    waiting: int
    limit: int
    requests_left: float
    tokens_left: float
    breaker: BreakerState
    waited: Latency = field(default_factory=Latency)
    first_chunk: Latency = field(default_factory=Latency)
    last_chunk: Latency = field(default_factory=Latency)
    requests: int = 0
    rate_limited: int = 0
    retries: int = 0
    refused: int = 0
    line_full: int = 0
    busiest: int = 0
    requests_limit: float = math.inf
    tokens_limit: float = math.inf
    models: Mapping[str, ModelFigures] = field(default_factory=dict)


@dataclass(slots=True)
class _Model:
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class Tally:
    """Counts as it happens. Times are on the caller's clock, in seconds."""

    requests: int = 0
    rate_limited: int = 0
    retries: int = 0
    breaker_open: int = 0
    line_full: int = 0
    waited: Latencies = field(default_factory=Latencies)
    first_chunk: Latencies = field(default_factory=Latencies)
    last_chunk: Latencies = field(default_factory=Latencies)
    _models: dict[str, _Model] = field(default_factory=dict)
    _busy: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MINUTES))

    def sent(self, in_flight: int, now: float) -> None:
        """One more request goes out: so many are in flight with it."""
        self.requests += 1
        minute = int(now // 60)
        if not self._busy or self._busy[-1][0] != minute:
            self._busy.append((minute, in_flight))
        elif in_flight > self._busy[-1][1]:
            self._busy[-1] = (minute, in_flight)

    def ended(self, model: str, outcome: Outcome) -> None:
        """This became of a request."""
        self._of(model).outcomes[outcome] += 1

    def used(self, model: str, usage: Usage) -> None:
        """The provider has counted what a request took."""
        figures = self._of(model)
        figures.input_tokens += usage.input_tokens
        figures.output_tokens += usage.output_tokens

    def _of(self, model: str) -> _Model:
        figures = self._models.get(model)
        if figures is None:
            model = model if len(self._models) < MOST_MODELS else OTHER_MODELS
            figures = self._models.setdefault(model, _Model())
        return figures

    def busiest(self, now: float) -> int:
        """How many were in flight at once in the last minutes."""
        return max((most for minute, most in self._busy if minute > now // 60 - MINUTES), default=0)

    def models(self) -> dict[str, ModelFigures]:
        """By model, as they are now."""
        return {
            name: ModelFigures(dict(model.outcomes), model.input_tokens, model.output_tokens)
            for name, model in self._models.items()
        }
