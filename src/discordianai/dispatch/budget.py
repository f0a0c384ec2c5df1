"""Requests and tokens a minute that one provider allows, and the pauses that it asks for."""

from dataclasses import dataclass

from discordianai.dispatch.sliding_window import Reservation, SlidingWindow
from discordianai.model import RateLimits

BURST = 0.05
"""The part of a minute's budget that anybody may use at once."""

LEFT = 0.04
"""The part that those leave to others who were served `OFTEN` lately."""

OFTEN = 3

PERIOD = 60.2
"""Seconds: the provider's minute, and what requests may be late by on their way to it."""


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """For any 60 seconds; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What one request has reserved."""

    request: Reservation
    tokens: Reservation


class Budget:
    """A request reserves before it is sent, and settles when the provider has told what it took."""

    def __init__(self, options: BudgetOptions) -> None:
        self._requests = SlidingWindow(options.requests_per_minute or float("inf"), PERIOD)
        self._tokens = SlidingWindow(options.tokens_per_minute or float("inf"), PERIOD)
        self._paused_until = float("-inf")
        self._even_from = float("-inf")

    def wait(self, tokens: float, now: float, left: float = 0.0) -> float:
        """Seconds until a request of so many tokens may be sent, and this part of the budget is left."""
        waits = self._requests.wait(1, now, left), self._tokens.wait(tokens, now, left)
        return max(*waits, self._paused_until - now, 0.0)

    def wait_evenly(self, tokens: float, now: float, served: int) -> float:
        """The same for somebody who was served so often lately: at an even pace, leaving room to others.

        A burst that took the whole budget would make everybody wait until it is a minute old.
        """
        wait = self.wait(tokens, now, LEFT * min(served, OFTEN) / OFTEN)
        free = all(window.used(now) <= BURST * window.limit for window in (self._requests, self._tokens))
        return wait if free else max(wait, self._even_from - now)

    def reserve(self, tokens: float, now: float) -> Spending:
        """Count a request that is sent now."""
        self._even_from = now + max(self._requests.even(1), self._tokens.even(tokens)) / (1 - LEFT)
        return Spending(self._requests.reserve(1, now), self._tokens.reserve(tokens, now))

    def settle(self, spending: Spending, tokens: float, now: float) -> None:
        """It took so many tokens in fact."""
        self._tokens.settle(spending.tokens, tokens, now)

    def give_back(self, spending: Spending, now: float) -> None:
        """It was not sent after all."""
        self._requests.settle(spending.request, 0, now)
        self._tokens.settle(spending.tokens, 0, now)

    def believe(self, limits: RateLimits, now: float) -> None:
        """What the provider says of its limits counts more than the settings, up or down."""
        for window, quota in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
            if quota is None:
                continue
            window.limit = quota.limit
            if quota.remaining == 0:
                self.pause(min(quota.reset, PERIOD), now)

    def pause(self, seconds: float, now: float) -> None:
        """The provider asks everybody to wait."""
        self._paused_until = max(self._paused_until, now + seconds)

    def left(self, now: float) -> tuple[float, float]:
        """Requests and tokens that the current minute has left; infinite where there is no limit."""
        return self._requests.limit - self._requests.used(now), self._tokens.limit - self._tokens.used(now)
