"""The requests of one origin that wait for a place, in the order they came."""

from collections import deque
from itertools import islice

from discordianai.transport.exchange import Exchange, Phase


class RequestQueue:
    """The first ones wait for connections that are being opened, the others for a place to become free.

    Which it is decides on the timeout that they are under; it is set anew whenever `expect` says so.
    """

    def __init__(self) -> None:
        self._waiting: deque[Exchange] = deque()
        self._connecting = 0
        """How many of the first ones wait for a connection."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def head(self) -> Exchange:
        """Whose turn is next."""
        return self._waiting[0]

    @property
    def last(self) -> Exchange:
        """Who came last."""
        return self._waiting[-1]

    def push(self, exchange: Exchange, *, front: bool = False) -> None:
        """Stand in line; `expect` is to be called then."""
        exchange.enter(Phase.POOL)
        if front:
            self._waiting.appendleft(exchange)
            if self._connecting:
                self._connecting += 1
                exchange.enter(Phase.CONNECT)
        else:
            self._waiting.append(exchange)

    def pop(self) -> Exchange:
        """Take out whose turn it is."""
        self._connecting = max(self._connecting - 1, 0)
        return self._waiting.popleft()

    def remove(self, exchange: Exchange) -> None:
        """Take out one from the midst. Raises `ValueError` if it is not in line."""
        index = self._waiting.index(exchange)
        del self._waiting[index]
        if index < self._connecting:
            self._connecting -= 1

    def first(self, count: int) -> list[Exchange]:
        """So many from the front, or all."""
        return list(islice(self._waiting, count))

    def set_connecting(self, count: int) -> None:
        """The connections that are being opened have room for so many."""
        count = min(count, len(self._waiting))
        low, high = sorted((count, self._connecting))
        phase = Phase.CONNECT if count > self._connecting else Phase.POOL
        self._connecting = count
        for exchange in islice(self._waiting, low, high):
            exchange.enter(phase)
