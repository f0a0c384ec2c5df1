"""When to ask again, and how long to wait before: never so often that an outage is multiplied."""

import random
from dataclasses import dataclass

from discordianai.providers.errors import Overloaded, ProviderError, RateLimited


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """`extra_load` is the part of all requests that may be retries. Times in seconds."""

    first_delay: float = 0.5
    longest_delay: float = 20.0
    extra_load: float = 0.1


class RetryBudget:
    """Each request earns a part of a retry; `reserve` of them are there from the beginning."""

    def __init__(self, extra_load: float, reserve: float = 5.0) -> None:
        self._extra_load = extra_load
        self._most = self._earned = reserve

    def earn(self) -> None:
        """A request was sent for the first time."""
        self._earned = min(self._earned + self._extra_load, self._most)

    def take(self) -> bool:
        """Whether one may be sent again."""
        if self._earned < 1:
            return False
        self._earned -= 1
        return True


def asked_pause(error: ProviderError) -> float | None:
    """Seconds for which the provider wants no request at all, if it said so."""
    return error.retry_after if isinstance(error, RateLimited | Overloaded) else None


def backoff(options: RetryOptions, attempt: int, error: ProviderError, chance: random.Random) -> float:
    """Seconds to wait after the failure of `attempt`, counted from 1: full jitter.

    0 where the provider asked for a pause: that holds everybody, and is waited for in the queue.
    """
    if asked_pause(error) is not None:
        return 0.0
    return chance.uniform(0, min(options.first_delay * 2 ** (attempt - 1), options.longest_delay))
