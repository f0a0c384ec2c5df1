"""The events of an answer: a few frozen types, which their readers match exhaustively."""

from dataclasses import dataclass

from discordianai.records import Citations, FinishReason, RateLimits, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceList:
    """All sources known so far; replaces the list before."""

    citations: Citations


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """The provider searches the web for this; a model wrote it."""

    query: str


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """The provider's rate limits, from its headers; comes first."""

    limits: RateLimits


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The tokens that the provider counted; once, near the end."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class End:
    """The answer is over; the last event, and exactly one."""

    reason: FinishReason


Event = TextDelta | SourceList | SearchQuery | ToolCall | LimitsReport | UsageReport | End
"""A `ToolCall` is complete."""
