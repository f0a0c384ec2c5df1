"""The requests and tokens a minute that a provider grants, kept in exact sliding windows."""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from discordianai.option import Key
from discordianai.records import Quota, RateLimits

ROUNDING = 1e-7
"""An excess that may come from adding and subtracting floats, and must not cost a wait."""


MOST_KEYS = 10_000
"""Keys of which a window counts events at once; of the oldest the count is forgotten then."""


@dataclass(slots=True, eq=False)
class Reservation:
    """`amount` counts from `at` on, for one period. It is an estimate until it is `settled`."""

    at: float
    amount: float
    settled: bool = False


class SlidingWindow:
    """A burst within the limit passes at once; the clock is the caller's, in seconds."""

    def __init__(self, limit: float, period: float = 60.0) -> None:
        self.limit = limit
        self.period = period
        self._reservations: deque[Reservation] = deque()
        self._total = 0.0

    def used(self, now: float) -> float:
        """What is reserved in the period that ends now."""
        while self._reservations and self._reservations[0].at <= now - self.period:
            self._total -= self._reservations.popleft().amount
        if not self._reservations:
            self._total = 0.0  # forgets rounding errors
        return self._total

    def pace(self, amount: float, now: float, kept: float = 0.0) -> float:
        """Seconds from one `amount` to the next: as the limit sustains it, or as what is free lasts.

        `kept` is the part of the limit that stays free. What is free has to last until the oldest leaves.
        """
        limit = self.limit * (1 - kept)
        even = self.period / limit
        free = limit - self.used(now)
        if free <= 0 or not self._reservations:
            return even * amount
        return max(even, (self._reservations[0].at + self.period - now) / free) * amount

    def delay(self, amount: float, now: float, kept: float = 0.0) -> float:
        """Seconds until `amount` fits, and this part of the limit is `kept` free.

        An amount larger than the limit fits when nothing else is reserved.
        """
        if self.limit == math.inf:
            return 0.0
        limit = self.limit * (1 - kept)
        excess = self.used(now) + min(amount, limit) - limit
        return self._until_freed(excess, now, [] if excess <= ROUNDING else self._reservations)

    def least_wait(self, amount: float, now: float) -> float:
        """The same, if everything that is not settled turned out to be nothing: it cannot be shorter."""
        if self.limit == math.inf or self.used(now) + amount <= self.limit:
            return 0.0
        settled = [reservation for reservation in self._reservations if reservation.settled]
        used = sum(reservation.amount for reservation in settled)
        return self._until_freed(used + min(amount, self.limit) - self.limit, now, settled)

    def _until_freed(self, excess: float, now: float, reservations: Iterable[Reservation]) -> float:
        """Seconds until the oldest of these have left so much."""
        if excess <= ROUNDING:
            return 0.0
        for reservation in reservations:
            excess -= reservation.amount
            if excess <= ROUNDING:
                return reservation.at + self.period - now
        return 0.0

    def reserve(self, amount: float, at: float) -> Reservation:
        """Count `amount` from `at` on; to be called when `delay` is 0."""
        reservation = Reservation(at, amount)
        index = len(self._reservations)
        while index and self._reservations[index - 1].at > at:
            index -= 1
        self._reservations.insert(index, reservation)
        self._total += amount
        return reservation

    def settle(self, reservation: Reservation, amount: float, now: float) -> None:
        """Replace what was reserved by what was used in fact."""
        self.used(now)
        if self._reservations and reservation.at >= self._reservations[0].at:
            self._total += amount - reservation.amount
        reservation.amount, reservation.settled = amount, True


class RateWindow:
    """Allows `limit` events of each key in any `period` seconds; the clock is the caller's.

    A key costs memory only while it has events in the window, and at most `MOST_KEYS` have.
    """

    def __init__(self, limit: int, period: float) -> None:
        self._limit = limit
        self._period = period
        self._windows: dict[Hashable, SlidingWindow] = {}
        self._swept_at = float("-inf")

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._windows)

    def reconfigure(self, limit: int, period: float) -> None:
        """Allow so many from now on, on top of what has been counted; from any thread."""
        self._limit, self._period = limit, period

    def take(self, key: Hashable, now: float) -> float:
        """Count an event of `key` at `now` and return 0; or count nothing and return the seconds to wait."""
        if wait := self.delay(key, now):
            return wait
        self._sweep(now)
        self._windows.setdefault(key, SlidingWindow(self._limit, self._period)).reserve(1, now)
        if len(self._windows) > MOST_KEYS:
            del self._windows[next(iter(self._windows))]
        return 0.0

    def delay(self, key: Hashable, now: float) -> float:
        """Seconds until an event of `key` is allowed."""
        window = self._windows.get(key)
        if window is None:
            return 0.0
        window.limit, window.period = self._limit, self._period
        return window.delay(1, now)

    def _sweep(self, now: float) -> None:
        """Once a period, forget the keys whose events have all left the window."""
        if now - self._swept_at < self._period:
            return
        self._swept_at = now
        for key in [key for key, window in self._windows.items() if not window.used(now)]:
            del self._windows[key]


FREE = 0.1
"""The part of a minute's budget that anybody may use at once."""

LEFT = 0.01
"""The part that those who were served in the last minute leave to others."""

MARGIN = 1.3
"""Reserved tokens over estimated ones, until they are settled. A provider charges when it admits a request:
one whose estimate was a fifth too low must be covered, and estimates vary by some per cent."""

PERIOD = 60.2
"""Seconds: the provider's minute, and how late a request may arrive there."""

BELIEVED_FOR = 600.0
"""Seconds after which what a provider last said of its limits no longer counts. One odd value of a header may
keep every question away, so that nothing would ever correct it."""

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
        self._told_at = math.inf
        self._options = options
        self.reconfigure(options)

    def reconfigure(self, options: BudgetOptions) -> None:
        """Allow this much from now on, on top of what was spent; until the provider says otherwise."""
        self._options, self._told_at = options, math.inf
        self._requests.limit = options.requests_per_minute or math.inf
        self._tokens.limit = options.tokens_per_minute or math.inf
        self._burst.limit = options.burst or math.inf
        self._told_a_second = False
        self._adapt_burst()

    def delay(self, tokens: float, now: float, kept: float = 0.0) -> float:
        """Seconds until a request of about so many tokens may be sent, with this part of it `kept`."""
        waits = self._requests.delay(1, now, kept), self._tokens.delay(MARGIN * tokens, now, kept)
        return max(*waits, self._burst.delay(1, now), self.pause_left(now))

    def least_wait(self, tokens: float, now: float) -> float:
        """The same, as far as it is certain: requests in flight may use fewer tokens than they reserved."""
        waits = self._requests.delay(1, now), self._tokens.least_wait(MARGIN * tokens, now)
        return max(*waits, self._burst.delay(1, now), self.pause_left(now))

    def wait_evenly(self, tokens: float, now: float) -> float:
        """`delay` for somebody who was served in the last minute: past `FREE`, at an even pace.

        A burst that took the whole budget would make everybody wait until it is a minute old.
        """
        wait = self.delay(tokens, now, LEFT)
        if all(window.used(now) <= FREE * window.limit for window in (self._requests, self._tokens)):
            return wait
        pace = max(self._requests.pace(1, now, LEFT), self._tokens.pace(tokens, now, LEFT))
        return max(wait, self._last + pace - now)

    def spares(self, tokens: float, now: float) -> bool:
        """Whether a request can be sent now, and `FREE` is left then, or as much again if that is more."""
        needed = ((self._requests, 1.0), (self._burst, 1.0), (self._tokens, MARGIN * tokens))
        return not self.pause_left(now) and all(
            window.used(now) + amount + max(amount, FREE * window.limit) <= window.limit
            for window, amount in needed
        )

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
        self._told_at = now
        for window, quota in ((self._requests, limits.requests), (self._tokens, limits.tokens)):
            if quota is not None:
                self._believe(window, quota, now)
        if limits.requests_per_second is not None:
            self._told_a_second, self._burst.period = True, SECOND
            self._believe(self._burst, limits.requests_per_second, now)
        self._adapt_burst()

    def forget_old_news(self, now: float) -> None:
        """Return to the settings where the provider has long said nothing of its limits."""
        if now - self._told_at > BELIEVED_FOR:
            self.reconfigure(self._options)

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

    def remaining(self, now: float) -> tuple[float, float]:
        """Requests and tokens that the current minute has left; infinite where there is no limit."""
        return self._requests.limit - self._requests.used(now), self._tokens.limit - self._tokens.used(now)

    @property
    def limits(self) -> tuple[float, float]:
        """Requests and tokens that a minute has in all; infinite where there is no limit."""
        return self._requests.limit, self._tokens.limit
