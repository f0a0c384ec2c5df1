"""An exact sliding window: no stretch of `period` seconds ever holds more than `limit`."""

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

    def used(self, now: float) -> float:
        """What is reserved in the period that ends now."""
        while self._reservations and self._reservations[0].at <= now - self.period:
            self._reservations.popleft()
        return sum(reservation.amount for reservation in self._reservations)

    def even(self, amount: float) -> float:
        """Seconds that `amount` takes at the rate that the window sustains."""
        return amount * self.period / self.limit

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` fits. What is larger than the limit fits when nothing else is there."""
        excess = self.used(now) + min(amount, self.limit) - self.limit
        for reservation in self._reservations:
            if excess <= 0:
                break
            excess -= reservation.amount
            if excess <= 0:
                return reservation.at + self.period - now
        return 0.0

    def reserve(self, amount: float, now: float) -> Reservation:
        """Count `amount` from now on; to be called when `wait` is 0."""
        reservation = Reservation(now, amount)
        self._reservations.append(reservation)
        return reservation
