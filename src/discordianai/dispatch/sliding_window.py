"""An exact sliding window: no stretch of `period` seconds ever holds more than `limit`."""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

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

    def pace(self, amount: float, now: float, left: float = 0.0) -> float:
        """Seconds from one `amount` to the next: as the limit sustains it, or as what is free lasts.

        `left` is the part of the limit that stays free. What is free has to last until the oldest leaves.
        """
        limit = self.limit * (1 - left)
        even = self.period / limit
        free = limit - self.used(now)
        if free <= 0 or not self._reservations:
            return even * amount
        return max(even, (self._reservations[0].at + self.period - now) / free) * amount

    def wait(self, amount: float, now: float, left: float = 0.0) -> float:
        """Seconds until `amount` fits, and this part of the limit is left.

        An amount larger than the limit fits when nothing else is reserved.
        """
        if self.limit == math.inf:
            return 0.0
        limit = self.limit * (1 - left)
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
        """Count `amount` from `at` on; to be called when `wait` is 0."""
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
        if wait := self.wait(key, now):
            return wait
        self._sweep(now)
        self._windows.setdefault(key, SlidingWindow(self._limit, self._period)).reserve(1, now)
        if len(self._windows) > MOST_KEYS:
            del self._windows[next(iter(self._windows))]
        return 0.0

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until an event of `key` is allowed."""
        window = self._windows.get(key)
        if window is None:
            return 0.0
        window.limit, window.period = self._limit, self._period
        return window.wait(1, now)

    def _sweep(self, now: float) -> None:
        """Once a period, forget the keys whose events have all left the window."""
        if now - self._swept_at < self._period:
            return
        self._swept_at = now
        for key in [key for key, window in self._windows.items() if not window.used(now)]:
            del self._windows[key]
