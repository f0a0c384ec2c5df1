"""An exact sliding window: no stretch of `period` seconds ever holds more than `limit`."""

import math
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Reservation:
    """`amount` counts from `at` on, for one period."""

    at: float
    amount: float


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
            self._total = 0.0  # forgets what rounding has left
        return self._total

    def pace(self, amount: float, now: float, left: float = 0.0) -> float:
        """Seconds from one `amount` to the next: as the limit sustains it, or as what is free lasts.

        `left` is the part of the limit that stays free. What is free has to last until the oldest leaves.
        """
        limit = self.limit * (1 - left)
        even = self.period / limit
        room = limit - self.used(now)
        if room <= 0 or not self._reservations:
            return even * amount
        return max(even, (self._reservations[0].at + self.period - now) / room) * amount

    def wait(self, amount: float, now: float, left: float = 0.0) -> float:
        """Seconds until `amount` fits, and this part of the limit is left.

        What is larger than the limit fits when nothing else is there.
        """
        if self.limit == math.inf:
            return 0.0
        limit = self.limit * (1 - left)
        excess = self.used(now) + min(amount, limit) - limit
        if excess <= 0:
            return 0.0
        for reservation in self._reservations:
            excess -= reservation.amount
            if excess <= 0:
                return reservation.at + self.period - now
        return 0.0

    def reserve(self, amount: float, at: float) -> Reservation:
        """Count `amount` from `at` on; to be called when `wait` is 0."""
        reservation = Reservation(at, amount)
        place = len(self._reservations)
        while place and self._reservations[place - 1].at > at:
            place -= 1
        self._reservations.insert(place, reservation)
        self._total += amount
        return reservation

    def settle(self, reservation: Reservation, amount: float, now: float) -> None:
        """It was another amount in fact."""
        self.used(now)
        if self._reservations and reservation.at >= self._reservations[0].at:
            self._total += amount - reservation.amount
        reservation.amount = amount
