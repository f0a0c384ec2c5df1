"""Why a question is not sent to a provider, each with a sentence for the person and one for the log."""

import math
from dataclasses import dataclass

from discordianai.dispatch.breaker import BreakerReason
from discordianai.providers.errors import (
    AuthenticationFailed,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)

LONGEST_TOLD = 100
"""Hours that a person is told."""


@dataclass(eq=False)
class QueueFull(ProviderError):
    """The queue has no place left."""

    sentence = "Too many questions are waiting for {label}."
    advice = "Please try again in a minute."


@dataclass(eq=False)
class DeadlinePassed(ProviderError):
    """The question has taken as long as a question may. `silent`: of the provider nothing came for long."""

    silent: bool = False

    helped_by_others = False
    sentence = "This took too long, so I gave up."
    advice = "Please try again in a few minutes."


@dataclass(eq=False)
class WaitTooLong(ProviderError):
    """It is certain that the question could not be sent before its deadline; perhaps in `seconds`."""

    seconds: float = 0.0

    sentence = "{label} can't get to this question in time."

    @property
    def for_person(self) -> str:
        """See `ProviderError`."""
        return f"{self.what_happened} Please try again in {duration(self.seconds)}."


@dataclass(eq=False)
class BeyondDailyLimit(ProviderError):
    """The daily limit of this person, or of this server (`[daily_limits]`), does not cover another answer.

    `most` is what the answer may cost, and `left` what is there, in words, where something is.
    """

    whose: str = "person"
    most: str = ""
    left: str = ""

    helped_by_others = False
    advice = "It resets at midnight UTC."

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        who, whose = ("You have", "your") if self.whose == "person" else ("This server has", "its")
        if self.left:
            return f"{who} {self.left} left of {whose} daily limit; this question may cost up to {self.most}."
        return f"{who} reached {whose} daily limit."


@dataclass(eq=False)
class TooLong(ProviderError):
    """A question takes more `tokens` than the model has `room` for; both are estimates."""

    tokens: int = 0
    room: int = 0

    helped_by_others = False
    advice = "Please shorten it, or send fewer or shorter files."

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        return f"That's too long for me: about {self.tokens:,} tokens, and my limit is about {self.room:,}."


@dataclass(eq=False)
class BeyondTheMinute(TooLong):
    """A question takes more tokens than may be sent to the provider in a whole minute."""

    helped_by_others = True

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        label = self.provider.label
        return (
            f"That's too long for {label}: about {self.tokens:,} tokens including the answer, and it allows"
            f" {self.room:,} a minute."
        )


@dataclass(eq=False)
class BreakerOpen(ProviderError):
    """The provider is left alone for `reason`; the next try is in `seconds`."""

    seconds: float = 0.0
    reason: BreakerReason = BreakerReason.FAILURES

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        return _ERRORS[self.reason].sentence.format(label=self.provider.label)

    @property
    def for_person(self) -> str:
        """See `ProviderError`."""
        error = _ERRORS[self.reason]
        healing = not issubclass(error, QuotaExhausted | AuthenticationFailed)
        advice = f"Please try again in {duration(self.seconds)}." if healing else error.advice
        return f"{self.what_happened} {advice}"


_ERRORS: dict[BreakerReason, type[ProviderError]] = {
    BreakerReason.FAILURES: Overloaded,
    BreakerReason.OVERLOADED: Overloaded,
    BreakerReason.RATE_LIMITED: RateLimited,
    BreakerReason.QUOTA: QuotaExhausted,
    BreakerReason.AUTHENTICATION: AuthenticationFailed,
}
"""What a person would be told by the provider itself."""


def in_seconds(seconds: float) -> str:
    """A time in whole seconds, in words."""
    return _counted(seconds, "second")


def duration(seconds: float) -> str:
    """A time in words, in the largest unit of which it has at least two; "over 100 hours" is the longest."""
    seconds = max(seconds, 0.0)
    if not seconds <= LONGEST_TOLD * 3600:  # nor a number at all, as in a snapshot that was edited
        return f"over {LONGEST_TOLD} hours"
    if seconds < 120:
        return in_seconds(seconds)
    return _counted(seconds / 60, "minute") if seconds < 7200 else _counted(seconds / 3600, "hour")


def _counted(number: float, unit: str) -> str:
    whole = max(math.ceil(number), 1)
    return f"{whole} {unit}{'s' * (whole != 1)}"
