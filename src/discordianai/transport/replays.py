"""Which requests that a server did not process go out anew, and when.

A first replay goes out at once: a GOAWAY that crosses a request is everyday. Further ones wait, longer each
time, and take from a budget of their origin, so that a server that refuses for good is soon left dedicated.
"""

import random
from collections.abc import Callable

import anyio

from discordianai.transport.deadlines import DeadlineWatcher
from discordianai.transport.exchange import Attempts, Exchange, Phase

MAX_REPLAYS = 4
"""How often one request may go out anew."""

BUDGET = 20.0
"""ReplayBudget beyond the first of each request that an origin has at most; each takes one."""

EARNED = 0.5
"""ReplayBudget that each answer earns."""

INITIAL_DELAY = 0.1
"""Seconds before the second replay; twice as long before each further one."""

LOST_CONNECTIONS = 2
"""After so many that ended under a request, its last try is made on a connection of its own."""


class ReplayBudget:
    """The budget of one origin."""

    def __init__(self) -> None:
        self._budget = BUDGET

    def answered(self) -> None:
        """An answer has come."""
        self._budget = min(self._budget + EARNED, BUDGET)

    def allow(self, attempts: Attempts) -> bool:
        """Whether this request may go out anew; counted if so."""
        if attempts.dedicated or attempts.replays >= MAX_REPLAYS:
            return False
        if attempts.replays:
            if self._budget < 1:
                return False
            self._budget -= 1
        attempts.replays += 1
        return True


def delay_before(attempts: Attempts) -> float:
    """Seconds until the replay that was allowed last."""
    if attempts.replays < 2:
        return 0.0
    delay: float = INITIAL_DELAY * 2 ** (attempts.replays - 2)
    return delay * random.uniform(0.5, 1)  # noqa: S311  # jitter is no secret


class ReplayDelay:
    """Holds an exchange until its time has come; `over` is told whether it has, and not been left before."""

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
        """See `deadlines.HasDeadline`."""
        self.end()
        self._over(self, True)

    def cancel(self, exchange: Exchange) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.ExchangeHandler`."""
        self.end()
        self._over(self, False)

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `exchange.ExchangeHandler`; there is nothing to read."""

    def end(self) -> None:
        """Its time will not come."""
        self._deadlines.watched.discard(self)
