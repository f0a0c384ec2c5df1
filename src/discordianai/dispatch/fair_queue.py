"""The line before a provider: a slot and a budget for each, to whoever had least and asks for least.

First come, first served would let a hundred insistent people push everybody else's wait from a third of a
second to half a minute.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from discordianai.dispatch.adaptive_limit import AdaptiveLimit
from discordianai.dispatch.budget import Budget, BudgetReservation

REMEMBERED = 60.0
"""Seconds that a served question counts."""


class FairQueueFull(Exception):
    """This one was put out of the line, because too many wait."""


@dataclass(eq=False)
class FairQueueEntry:
    """One question in the line, and what it got: a slot and `spending`, or a refusal."""

    person: str
    tokens: float
    number: int
    called: trio.Event = field(default_factory=trio.Event)
    alarm: trio.CancelScope | None = None
    """Ends the wait, while there is one."""
    due: float = math.inf
    """When there is budget for it, while it is the first."""
    spending: BudgetReservation | None = None
    sent: bool = False
    """Set by the holder when the provider is asked: from then on the budget is spent."""


class FairQueue:
    """`limiter` has as many tokens as the pool has connections; `limit` may allow less for a while."""

    def __init__(
        self, limiter: trio.CapacityLimiter, limit: AdaptiveLimit, budget: Budget, queue_size: int
    ) -> None:
        self._limiter = limiter
        self._limit = limit
        self._budget = budget
        self._queue_size = queue_size
        self._waiting: list[FairQueueEntry] = []
        self._sorted = True
        self._served: Counter[str] = Counter()
        self._provider_chain: Counter[str] = Counter()
        self._services: deque[tuple[float, str]] = deque()
        self._arrivals = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def place(self, person: str, tokens: float) -> Iterator[FairQueueEntry]:
        """A place in the line while the block runs, and what comes of it: see `admitted`."""
        self._arrivals += 1
        place = FairQueueEntry(person, tokens, self._arrivals)
        self._waiting.append(place)
        self._provider_chain[person] += 1
        self._sorted = False
        try:
            self._bound()
            self.serve()
            yield place
        finally:
            self._leave(place)

    async def admitted(self, place: FairQueueEntry, until: float = math.inf) -> bool:
        """Wait for a slot and budget; False when it is `until`, on trio's clock, first.

        Raises `FairQueueFull`.
        """
        while not place.called.is_set():
            if (now := trio.current_time()) >= until:
                return False
            if now >= place.due:
                place.due = math.inf
                self.serve()
            with trio.CancelScope(deadline=min(until, place.due)) as place.alarm:
                await place.called.wait()
        if place.spending is None:
            raise FairQueueFull
        return True

    def position(self, place: FairQueueEntry) -> int:
        """Its place in the line, counted from 1."""
        return self._in_order().index(place) + 1

    def serve(self) -> None:
        """Let in as many as there are slots and budget for; the first of the others wakes when it is time."""
        now = trio.current_time()
        self._forget_old(now)
        while self._waiting and self._limiter.borrowed_tokens < self._limit.now:
            first = self._in_order()[0]
            if wait := self._wait(first, now):
                first.due = now + wait
                if first.alarm is not None:
                    first.alarm.deadline = min(first.alarm.deadline, first.due)
                return
            spending = self._budget.reserve(
                first.tokens, now
            )  # whatever fails here leaves the line as it was
            self._take_out(first)
            self._limiter.acquire_on_behalf_of_nowait(first)
            first.spending = spending
            self._served[first.person] += 1
            self._services.append((now, first.person))
            first.called.set()

    def _wait(self, place: FairQueueEntry, now: float) -> float:
        """Seconds that the budget makes this one wait."""
        if self._served[place.person]:
            return self._budget.wait_evenly(place.tokens, now)
        return self._budget.wait(place.tokens, now)

    def _bound(self) -> None:
        """Put out the newest question of whoever has most in line."""
        if len(self._waiting) <= self._queue_size:
            return
        most = max(self._provider_chain.values())
        theirs = (place for place in self._waiting if self._provider_chain[place.person] == most)
        newest = max(theirs, key=lambda place: place.number)
        self._take_out(newest)
        newest.called.set()

    def _leave(self, place: FairQueueEntry) -> None:
        """What this one waited for, or had, is for others."""
        try:
            if place.spending is not None:
                self._limiter.release_on_behalf_of(place)
                if not place.sent:
                    self._budget.give_back(place.spending, trio.current_time())
            elif not place.called.is_set():
                self._take_out(place)
        finally:
            self.serve()

    def _in_order(self) -> list[FairQueueEntry]:
        """Those who wait, the next one first."""
        if not self._sorted:
            self._waiting.sort(key=self._rank)
            self._sorted = True
        return self._waiting

    def _rank(self, place: FairQueueEntry) -> tuple[int, int]:
        """What a person was given and still asks for, then arrival: the lowest goes first."""
        return self._served[place.person] + self._provider_chain[place.person], place.number

    def _take_out(self, place: FairQueueEntry) -> None:
        self._waiting.remove(place)
        self._sorted = False
        self._provider_chain[place.person] -= 1
        if not self._provider_chain[place.person]:
            del self._provider_chain[place.person]

    def _forget_old(self, now: float) -> None:
        while self._services and self._services[0][0] <= now - REMEMBERED:
            _, person = self._services.popleft()
            self._served[person] -= 1
            self._sorted = False
            if not self._served[person]:
                del self._served[person]
