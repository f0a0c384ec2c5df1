"""Requests and tokens a minute that one provider allows, and the pauses that it asks for."""

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from discordianai.dispatch.sliding_window import Reservation, SlidingWindow
from discordianai.option import Key
from discordianai.records import Quota, RateLimits

FREE = 0.1
"""The part of a minute's budget that anybody may use at once."""

LEFT = 0.01
"""The part that those who were served in the last minute leave to others."""

MARGIN = 1.3
"""Reserved tokens over estimated ones, until they are settled. A provider charges when it admits a request:
one whose estimate was a fifth too low must be covered, and estimates vary by some per cent."""

PERIOD = 60.2
"""Seconds: the provider's minute, and how late a request may arrive there."""

SECOND = 1.2
"""Seconds: the same for a limit that is told for each second."""


Requests = Annotated[int | None, Ge(1), Le(1_000_000), Key("in any 60 seconds", live=True)]
Tokens = Annotated[
    int | None,
    Ge(1),
    Le(1_000_000_000),
    Key("input and output together, in any 60 seconds", live=True),
]
Burst = Annotated[
    int | None,
    Ge(1),
    Le(1_000_000),
    Key("requests at once; needs requests_per_minute, and is at most that", live=True),
]


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """`[rate_limits.NAME]`: what a provider allows, for any 60 seconds; None is no limit.

    `burst` is for a provider that enforces its limit in shorter periods: at most so many requests in as many
    seconds as they take at the rate of the minute. It needs `requests_per_minute`.
    """

    requests_per_minute: Requests = None
    tokens_per_minute: Tokens = None
    burst: Burst = None

    @field_validator("burst")
    @classmethod
    def _has_a_rate(cls, value: int | None, info: ValidationInfo) -> int | None:
        rate = info.data.get("requests_per_minute")
        if value is not None and (rate is None or value > rate):
            raise PydanticCustomError("burst", "should be at most requests_per_minute, which it needs")
        return value


@dataclass(frozen=True, slots=True)
class BudgetReservation:
    """The parts of a budget that one request has reserved."""

    request: Reservation
    burst: Reservation
    tokens: Reservation


class Budget:
    """A request reserves before it is sent, and settles when the provider has told what it used."""

    def __init__(self, options: BudgetOptions) -> None:
        self._requests, self._tokens, self._burst = (SlidingWindow(math.inf, PERIOD) for _ in range(3))
        self._pause_ends = -math.inf
        self._last = -math.inf
        self._told_a_second = False
        self.reconfigure(options)

    def reconfigure(self, options: BudgetOptions) -> None:
        """Allow this much from now on, on top of what was spent; until the provider says otherwise."""
        self._requests.limit = options.requests_per_minute or math.inf
        self._tokens.limit = options.tokens_per_minute or math.inf
        self._burst.limit = options.burst or math.inf
        self._told_a_second = False
        self._adapt_burst()

    def wait(self, tokens: float, now: float, left: float = 0.0) -> float:
        """Seconds until a request of about so many tokens may be sent, and a part of the budget is `left`."""
        waits = self._requests.wait(1, now, left), self._tokens.wait(MARGIN * tokens, now, left)
        return max(*waits, self._burst.wait(1, now), self.pause_left(now))

    def least_wait(self, tokens: float, now: float) -> float:
        """The same, as far as it is certain: requests in flight may use fewer tokens than they reserved."""
        waits = self._requests.wait(1, now), self._tokens.least_wait(MARGIN * tokens, now)
        return max(*waits, self._burst.wait(1, now), self.pause_left(now))

    def wait_evenly(self, tokens: float, now: float) -> float:
        """`wait` for somebody who was served in the last minute: past `FREE`, at an even pace.

        A burst that took the whole budget would make everybody wait until it is a minute old.
        """
        wait = self.wait(tokens, now, LEFT)
        if all(window.used(now) <= FREE * window.limit for window in (self._requests, self._tokens)):
            return wait
        pace = max(self._requests.pace(1, now, LEFT), self._tokens.pace(tokens, now, LEFT))
        return max(wait, self._last + pace - now)

    def reserve(self, tokens: float, now: float) -> BudgetReservation:
        """Count a request that is sent now."""
        self._last = now
        return BudgetReservation(
            request=self._requests.reserve(1, now),
            burst=self._burst.reserve(1, now),
            tokens=self._tokens.reserve(MARGIN * tokens, now),
        )

    def settle(self, reservation: BudgetReservation, tokens: float, now: float) -> None:
        """The request used so many tokens."""
        self._tokens.settle(reservation.tokens, tokens, now)

    def give_back(self, reservation: BudgetReservation, now: float) -> None:
        """The request was not sent after all."""
        self._requests.settle(reservation.request, 0, now)
        self._burst.settle(reservation.burst, 0, now)
        self._tokens.settle(reservation.tokens, 0, now)

    def believe(self, limits: RateLimits, now: float) -> None:
        """What the provider says of its limits counts more than the settings, up or down."""
        for window, quota in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
            if quota is not None:
                self._believe(window, quota, now)
        if limits.requests_per_second is not None:
            self._told_a_second, self._burst.period = True, SECOND
            self._believe(self._burst, limits.requests_per_second, now)
        self._adapt_burst()

    def _believe(self, window: SlidingWindow, quota: Quota, now: float) -> None:
        window.limit = quota.limit
        # What is missing beyond our own requests was used by somebody else with the same key.
        elsewhere = quota.limit - quota.remaining - window.used(now)
        if elsewhere > 0:
            used_at = now - window.period + min(quota.reset, window.period)
            window.settle(window.reserve(elsewhere, used_at), elsewhere, now)

    def _adapt_burst(self) -> None:
        """Unless the provider has told its limit of a second, which counts more."""
        if not self._told_a_second and self._burst.limit < math.inf and self._requests.limit < math.inf:
            self._burst.period = PERIOD * min(self._burst.limit / self._requests.limit, 1.0)

    def pause(self, seconds: float, now: float) -> None:
        """The provider asks everybody to wait."""
        self._pause_ends = max(self._pause_ends, now + seconds)

    def pause_left(self, now: float) -> float:
        """Seconds until a pause that the provider asked for is over."""
        return max(self._pause_ends - now, 0.0)

    def left(self, now: float) -> tuple[float, float]:
        """Requests and tokens that the current minute has left; infinite where there is no limit."""
        return self._requests.limit - self._requests.used(now), self._tokens.limit - self._tokens.used(now)

    @property
    def limits(self) -> tuple[float, float]:
        """Requests and tokens that a minute has in all; infinite where there is no limit."""
        return self._requests.limit, self._tokens.limit
