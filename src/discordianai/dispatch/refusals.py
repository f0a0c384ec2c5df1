"""Why a question is not passed on to a provider, each with a sentence for the person and one for the log."""

import math
from dataclasses import dataclass

from discordianai.providers.errors import ProviderError


@dataclass(eq=False)
class QueueFull(ProviderError):
    """As many questions wait as may."""

    sentence = "Too many questions are waiting for {label}. Please try again in a minute."


@dataclass(eq=False)
class DeadlinePassed(ProviderError):
    """The question has taken as long as one may."""

    sentence = "This took too long, and I gave up. Please try again in a few minutes."


@dataclass(eq=False)
class BreakerOpen(ProviderError):
    """The provider fails so much that it is left alone for `seconds`."""

    seconds: float = 0.0

    @property
    def for_person(self) -> str:
        """See `ProviderError`."""
        seconds = math.ceil(self.seconds)
        plural = "s" * (seconds != 1)
        return f"{self.provider.label} has trouble; I try it again in {seconds} second{plural}."
