"""The line before a provider: a slot and a budget for each, to whoever had least and asks for least.

First come, first served would let a hundred insistent people push everybody else's wait from a third of a
second to half a minute.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

import trio

from discordianai.dispatch.adaptive_limit import AdaptiveLimit
from discordianai.dispatch.budget import Budget, Spending

REMEMBERED = 60.0
"""Seconds that a served question counts."""


class LineFull(Exception):
    """This one was put out of the line, because too many wait."""


@dataclass(eq=False)
class Place:
    """One question in the line, and what it got."""

    person: str
    tokens: float
    number: int
    ready: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    spending: Spending | None = None
    refused: bool = False


class FairLine:
    """`limiter` has as many tokens as the pool has connections; `limit` may allow less for a while."""

    def __init__(
        self, limiter: trio.CapacityLimiter, limit: AdaptiveLimit, budget: Budget, queue_size: int
    ) -> None:
        self._limiter = limiter
        self._limit = limit
        self._budget = budget
        self._queue_size = queue_size
        self._waiting: list[Place] = []
        self._served: Counter[str] = Counter()
        self._asking: Counter[str] = Counter()
        self._services: deque[tuple[float, str]] = deque()
        self._arrivals = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self, person: str, tokens: float) -> Place:
        """Wait for a slot and budget; the caller calls `leave`. Raises `LineFull`."""
        self._arrivals += 1
        place = Place(person, tokens, self._arrivals)
        self._waiting.append(place)
        self._asking[person] += 1
        try:
            self._bound()
            while not place.ready.is_set():
                # The deadline is set by `serve`, when it is the budget that this one waits for.
                place.scope = trio.CancelScope()
                self.serve()
                with place.scope:
                    await place.ready.wait()
            if place.refused:
                raise LineFull
        except BaseException:
            self._abandon(place)
            raise
        return place

    def leave(self, place: Place) -> None:
        """Give the slot back."""
        self._limiter.release_on_behalf_of(place)
        self.serve()

    def serve(self) -> None:
        """Let in as many as there are slots and budget for."""
        now = trio.current_time()
        while self._waiting and self._limiter.borrowed_tokens < self._limit.now:
            self._forget_old(now)
            place = min(self._waiting, key=self._rank)
            served = self._served[place.person]
            if served:
                wait = self._budget.wait_evenly(place.tokens, now, served)
            else:
                wait = self._budget.wait(place.tokens, now)
            if wait > 0:
                place.scope.deadline = now + wait
                return
            self._take_out(place)
            self._limiter.acquire_on_behalf_of_nowait(place)
            place.spending = self._budget.reserve(place.tokens, now)
            self._served[place.person] += 1
            self._services.append((now, place.person))
            place.ready.set()

    def _bound(self) -> None:
        """Put out the newest question of whoever has most in the line."""
        if len(self._waiting) <= self._queue_size:
            return
        most = max(self._asking.values())
        theirs = (place for place in self._waiting if self._asking[place.person] == most)
        newest = max(theirs, key=lambda place: place.number)
        self._take_out(newest)
        newest.refused = True
        newest.ready.set()

    def _abandon(self, place: Place) -> None:
        """The question is gone: what it waited for, or has just got, is for others."""
        if place in self._waiting:
            self._take_out(place)
        elif place.spending is not None:
            self._budget.give_back(place.spending, trio.current_time())
            self._limiter.release_on_behalf_of(place)
        self.serve()

    def _rank(self, place: Place) -> tuple[int, int]:
        """What a person was given and still asks for, then arrival: the lowest goes first."""
        return self._served[place.person] + self._asking[place.person], place.number

    def _take_out(self, place: Place) -> None:
        self._waiting.remove(place)
        self._asking[place.person] -= 1
        if not self._asking[place.person]:
            del self._asking[place.person]

    def _forget_old(self, now: float) -> None:
        while self._services and self._services[0][0] <= now - REMEMBERED:
            _, person = self._services.popleft()
            self._served[person] -= 1
            if not self._served[person]:
                del self._served[person]
