"""The requests of one origin that wait: for a connection, for a free slot on one, or to be sent again.

A request that a server left unprocessed is sent again (RFC 9113, 8.7). The first replay is immediate: a
GOAWAY that crosses a request is normal. Further ones wait, longer each time, and draw on a budget of their
origin, so that a server that refuses everything is soon left alone.
"""

import random
from collections import deque
from collections.abc import Callable
from itertools import islice

import anyio

from discordianai.transport.exchange import Attempts, DeadlineWatcher, Exchange, Phase


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


MAX_REPLAYS = 4
"""How often one request may be sent again."""

REPLAY_BUDGET = 20.0
"""Replays that an origin has at most, besides the first one of each request."""

EARNED = 0.5
"""Replays that each response adds to the budget."""

INITIAL_REPLAY_DELAY = 0.1
"""Seconds before the second replay; doubled before each further one."""

LOST_CONNECTIONS = 2
"""Connections that may close under a request before its last attempt, on a connection of its own."""


class ReplayBudget:
    """Of one origin."""

    def __init__(self) -> None:
        self._budget = REPLAY_BUDGET

    def response_started(self) -> None:
        """A response has come."""
        self._budget = min(self._budget + EARNED, REPLAY_BUDGET)

    def allow(self, attempts: Attempts) -> bool:
        """Whether this request may be sent again; if so, it is counted."""
        if attempts.dedicated or attempts.replays >= MAX_REPLAYS:
            return False
        if attempts.replays:
            if self._budget < 1:
                return False
            self._budget -= 1
        attempts.replays += 1
        return True


def delay_before(attempts: Attempts) -> float:
    """Seconds before the replay that was allowed last."""
    if attempts.replays < 2:
        return 0.0
    delay: float = INITIAL_REPLAY_DELAY * 2 ** (attempts.replays - 2)
    return delay * random.uniform(0.5, 1)  # noqa: S311  # jitter is no secret


class ReplayDelay:
    """Handles an exchange before its replay. `over` is told whether to send it; not, if it was cancelled."""

    def __init__(
        self,
        exchange: Exchange,
        seconds: float,
        deadlines: DeadlineWatcher,
        over: Callable[["ReplayDelay", bool], None],
    ) -> None:
        self.exchange = exchange
        self.deadline = anyio.current_time() + seconds
        self._deadlines = deadlines
        self._over = over
        exchange.handler = self
        exchange.enter(Phase.POOL)
        deadlines.watched.add(self)
        deadlines.reschedule(self.deadline)

    def deadline_passed(self) -> None:
        """See `exchange.HasDeadline`."""
        self.close()
        self._over(self, True)

    def cancel(self, exchange: Exchange) -> None:  # noqa: ARG002  # there is only one
        """See `exchange.ExchangeHandler`."""
        self.close()
        self._over(self, False)

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `exchange.ExchangeHandler`; there is nothing to read."""

    def close(self) -> None:
        """Forget the replay."""
        self._deadlines.watched.discard(self)
