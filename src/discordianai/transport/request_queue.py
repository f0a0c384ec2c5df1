"""The requests of one origin that wait for a connection, or for a free slot on one."""

from collections import deque
from itertools import islice

from discordianai.transport.exchange import Exchange, Phase


class RequestQueue:
    """The first requests wait for connections that are being opened, the others for a free slot.

    This decides which timeout each is under. `set_connecting` has to be called after every change.
    """

    def __init__(self) -> None:
        self._waiting: deque[Exchange] = deque()
        self._connecting = 0
        """How many of the first requests wait for a connection."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def head(self) -> Exchange:
        """The next one."""
        return self._waiting[0]

    @property
    def last(self) -> Exchange:
        """The newest one."""
        return self._waiting[-1]

    def push(self, exchange: Exchange, *, front: bool = False) -> None:
        """Add a request at the end, or at the front."""
        exchange.enter(Phase.POOL)
        if front:
            self._waiting.appendleft(exchange)
            if self._connecting:
                self._connecting += 1
                exchange.enter(Phase.CONNECT)
        else:
            self._waiting.append(exchange)

    def pop(self) -> Exchange:
        """Take out the next one."""
        self._connecting = max(self._connecting - 1, 0)
        return self._waiting.popleft()

    def remove(self, exchange: Exchange) -> None:
        """Take out any one. Raises `ValueError` if it is not queued."""
        index = self._waiting.index(exchange)
        del self._waiting[index]
        if index < self._connecting:
            self._connecting -= 1

    def first(self, count: int) -> list[Exchange]:
        """The first `count`, or all."""
        return list(islice(self._waiting, count))

    def set_connecting(self, count: int) -> None:
        """Connections that are being opened have room for the first `count`."""
        count = min(count, len(self._waiting))
        low, high = sorted((count, self._connecting))
        phase = Phase.CONNECT if count > self._connecting else Phase.POOL
        self._connecting = count
        for exchange in islice(self._waiting, low, high):
            exchange.enter(phase)
