"""How the sandbox's services behave: their pace, their limits, how they write their streams."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds: in any stretch of them, or in each window of the clock's."""

    count: int
    seconds: float = 60.0
    aligned: bool = False
    """The windows begin with whole seconds of the service's clock, and all is allowed again at their end."""


TIER_0 = (Rate(1, 1.0, aligned=True), Rate(50))
"""What Perplexity allows to an organisation that has bought nothing yet."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the services behave. Times are in seconds, budgets per minute."""

    api_key: str = "sandbox-key"
    first_token: float = 0.3
    between_tokens: float = 0.01
    requests_per_minute: int = 500
    """OpenAI's."""
    tokens_per_minute: int = 200_000
    """OpenAI's."""
    perplexity_rates: tuple[Rate, ...] = TIER_0
    foreign_rates: tuple[Rate, ...] = ()
    clock_ahead: float = 0.0
    event_lines: bool = True
    """Whether the events of Responses and of the Agent interface have their `event:` lines."""
    keep_alive: float | None = None
    """After so many seconds of silence in a stream, what the service sends instead of events."""
