"""What comes of asking a provider: a few frozen event types, matched exhaustively by whoever reads them."""

from dataclasses import dataclass

from discordianai.records import Citations, FinishReason, RateLimits, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """What came new of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceList:
    """The sources known so far. It replaces what came before."""

    citations: Citations


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """What the provider says of its rate limits; before anything else."""

    limits: RateLimits


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The tokens as the provider counted them; once, near the end."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class End:
    """The answer is over; the last event, and exactly one."""

    reason: FinishReason


Event = TextDelta | SourceList | ToolCall | LimitsReport | UsageReport | End
"""A `ToolCall` is whole."""
