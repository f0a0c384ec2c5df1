"""Which requests that a server did not process go out anew, and when.

A first replay goes out at once: a GOAWAY that crosses a request is everyday. Further ones wait, longer each
time, and take from a budget of their origin, so that a server that refuses for good is soon left alone.
"""

import random
from collections.abc import Callable

import anyio

from discordianai.transport.deadlines import Timekeeper
from discordianai.transport.exchange import Exchange, Phase, Tries

MAX_REPLAYS = 4
"""How often one request may go out anew."""

BUDGET = 20.0
"""Replays beyond the first of each request that an origin has at most; each takes one."""

EARNED = 0.5
"""Replays that each answer earns."""

FIRST_PAUSE = 0.1
"""Seconds before the second replay; twice as long before each further one."""

LOST_CONNECTIONS = 2
"""After so many that ended under a request, its last try is made on a connection of its own."""


class Replays:
    """The budget of one origin."""

    def __init__(self) -> None:
        self._budget = BUDGET

    def answered(self) -> None:
        """An answer has come."""
        self._budget = min(self._budget + EARNED, BUDGET)

    def allow(self, tries: Tries) -> bool:
        """Whether this request may go out anew; counted if so."""
        if tries.alone or tries.replays >= MAX_REPLAYS:
            return False
        if tries.replays:
            if self._budget < 1:
                return False
            self._budget -= 1
        tries.replays += 1
        return True


def pause_before(tries: Tries) -> float:
    """Seconds until the replay that was allowed last."""
    if tries.replays < 2:
        return 0.0
    pause: float = FIRST_PAUSE * 2 ** (tries.replays - 2)
    return pause * random.uniform(0.5, 1)  # noqa: S311  # jitter is no secret


class ReplayPause:
    """Holds an exchange until its time has come; `over` is told whether it has, and not been left before."""

    def __init__(
        self,
        exchange: Exchange,
        seconds: float,
        timekeeper: Timekeeper,
        over: Callable[["ReplayPause", bool], None],
    ) -> None:
        self.exchange = exchange
        self.deadline = anyio.current_time() + seconds
        self._timekeeper = timekeeper
        self._over = over
        exchange.holder = self
        exchange.enter(Phase.POOL)
        timekeeper.watched.add(self)
        timekeeper.look(self.deadline)

    def overdue(self) -> None:
        """See `deadlines.Watched`."""
        self.end()
        self._over(self, True)

    def abandon(self, exchange: Exchange) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.Holder`."""
        self.end()
        self._over(self, False)

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `exchange.Holder`; there is nothing to read."""

    def end(self) -> None:
        """Its time will not come."""
        self._timekeeper.watched.discard(self)
