"""When to ask again, and how long to wait before: never so often that an outage is multiplied."""

import random
from dataclasses import dataclass

from discordianai.providers.errors import Overloaded, ProviderError, RateLimited


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """`extra_load` is the part of all requests that may be repetitions. Times in seconds."""

    first_delay: float = 0.5
    longest_delay: float = 20.0
    extra_load: float = 0.1


class RetryBudget:
    """Each request earns a part of a repetition; `reserve` of them are there from the beginning."""

    def __init__(self, extra_load: float, reserve: float = 5.0) -> None:
        self._extra_load = extra_load
        self._most = self._earned = reserve

    def earn(self) -> None:
        """A request was sent for the first time."""
        self._earned = min(self._earned + self._extra_load, self._most)

    def take(self) -> bool:
        """Whether one may be repeated."""
        if self._earned < 1:
            return False
        self._earned -= 1
        return True


def delay(options: RetryOptions, attempt: int, error: ProviderError, chance: random.Random) -> float:
    """Seconds to wait after the failure of `attempt`, counted from 1: full jitter, or what was asked for."""
    asked = error.retry_after if isinstance(error, RateLimited | Overloaded) else None
    if asked is not None:
        return asked
    return chance.uniform(0, min(options.first_delay * 2 ** (attempt - 1), options.longest_delay))
