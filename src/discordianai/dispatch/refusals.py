"""Why a question is not passed on to a provider, each with a sentence for the person and one for the log."""

import math
from dataclasses import dataclass

from discordianai.providers.errors import ProviderError


@dataclass(eq=False)
class QueueFull(ProviderError):
    """As many questions wait as may."""

    sentence = "Too many questions are waiting for {label}."
    advice = "Please try again in a minute."


@dataclass(eq=False)
class DeadlinePassed(ProviderError):
    """The question has taken as long as one may."""

    helped_by_others = False
    sentence = "This took too long, and I gave up."
    advice = "Please try again in a few minutes."


@dataclass(eq=False)
class AllowanceSpent(ProviderError):
    """The day's limit of this person, or of this server, does not cover another answer."""

    whose: str = "person"

    helped_by_others = False
    advice = "It starts again at midnight UTC."

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        who = "You have" if self.whose == "person" else "This server has"
        return f"{who} used up today's allowance."


@dataclass(eq=False)
class TooLong(ProviderError):
    """A question takes more `tokens` than the model has `room` for; both are about right."""

    tokens: int = 0
    room: int = 0

    helped_by_others = False
    advice = "Please shorten it, or send fewer or shorter files."

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        return f"That is too long for me: about {self.tokens:,} tokens, and I can take about {self.room:,}."


@dataclass(eq=False)
class BeyondTheMinute(TooLong):
    """A question takes more tokens than may be sent to the provider in a whole minute."""

    helped_by_others = True

    @property
    def what_happened(self) -> str:
        """See `ProviderError`."""
        label = self.provider.label
        return (
            f"That is too long for {label}: about {self.tokens:,} tokens with the answer, and I may send it"
            f" {self.room:,} in a minute."
        )


@dataclass(eq=False)
class BreakerOpen(ProviderError):
    """The provider fails so much that it is left alone for `seconds`."""

    seconds: float = 0.0

    sentence = "{label} is having trouble right now."

    @property
    def for_person(self) -> str:
        """See `ProviderError`."""
        return f"{self.what_happened} Please try again in {in_seconds(self.seconds)}."


def in_seconds(seconds: float) -> str:
    """As one would say it."""
    whole = max(math.ceil(seconds), 1)
    return f"{whole} second{'s' * (whole != 1)}"
