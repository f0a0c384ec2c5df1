"""Who is sent to a provider next: in turn between people, and in order of arrival for each of them.

First come, first served would let a hundred insistent people push everybody else's wait from a third of a
second to half a minute.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from discordianai.dispatch.breaker import AdaptiveLimit
from discordianai.dispatch.budget import Budget, BudgetReservation

REMEMBERED = 60.0
"""Seconds for which a served question counts."""


class FairQueueFull(Exception):
    """This entry was removed, because too many wait."""


@dataclass(eq=False)
class FairQueueEntry:
    """One waiting question and what it is given: a slot and a `reservation`, or a `refusal`.

    `deadline` and `since` are on trio's clock. `of_model` is the budget of its model, where that has one of
    its own, and `model_reservation` what it is given of that.
    """

    person: str
    tokens: float
    number: int
    deadline: float
    since: float
    decided: trio.Event = field(default_factory=trio.Event)
    reservation: BudgetReservation | None = None
    of_model: Budget | None = None
    model_reservation: BudgetReservation | None = None
    refusal: Exception | None = None
    sent: bool = False
    """Set by the holder when the provider is asked: from then on the budget is spent."""
    due: float = math.inf
    """When there is budget for it, while it is the first."""
    waiting: trio.CancelScope | None = None
    """Ends the wait at `due`, while there is one."""


class FairQueue:
    """`limiter` has as many tokens as the pool has connections; `limit` may allow fewer for a while."""

    def __init__(
        self, limiter: trio.CapacityLimiter, limit: AdaptiveLimit, budget: Budget, queue_size: int
    ) -> None:
        self._limiter = limiter
        self._limit = limit
        self._budget = budget
        self._queue_size = queue_size
        self._entries: list[FairQueueEntry] = []
        self._sorted = True
        self._waiting_by_person: Counter[str] = Counter()
        self._served_by_person: Counter[str] = Counter()
        self._served: deque[tuple[float, str]] = deque()
        self._arrivals = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._entries)

    @contextmanager
    def enqueue(
        self, person: str, tokens: float, deadline: float = math.inf, of_model: Budget | None = None
    ) -> Iterator[FairQueueEntry]:
        """Wait with `granted` while the block runs; a slot is held until it is left.

        `of_model` is a budget that is needed besides the one of all.
        """
        self._arrivals += 1
        since = trio.current_time()
        entry = FairQueueEntry(person, tokens, self._arrivals, deadline, since, of_model=of_model)
        self._entries.append(entry)
        self._waiting_by_person[person] += 1
        self._sorted = False
        try:
            self._enforce_size()
            self.serve()
            yield entry
        finally:
            self._leave(entry)

    async def granted(self, entry: FairQueueEntry, until: float = math.inf) -> bool:
        """Wait for a slot and budget; False if `until` or the entry's deadline, on trio's clock, comes first.

        Raises `FairQueueFull`, and what `refuse_where` gave.
        """
        until = min(until, entry.deadline)
        while not entry.decided.is_set():
            if (now := trio.current_time()) >= until:
                return False
            if now >= entry.due:
                entry.due = math.inf
                self.serve()
            with trio.CancelScope(deadline=min(until, entry.due)) as entry.waiting:
                await entry.decided.wait()
        if entry.refusal is not None:
            raise entry.refusal
        return True

    def position(self, entry: FairQueueEntry) -> int:
        """Its place in the queue, counted from 1; 1 also for one that waits no more."""
        return self._in_order().index(entry) + 1 if entry in self._entries else 1

    def serve(self) -> None:
        """Grant while there are slots and budget; the next of the others wakes when there is budget."""
        now = trio.current_time()
        self._forget_old(now)
        while self._entries and self._limiter.borrowed_tokens < self._limit.current:
            first, wait = self._next(now)
            if wait:
                self._wake_at(first, now + wait)
                return
            self._grant(first, now)
            self._remove(first)
            self._served_by_person[first.person] += 1
            self._served.append((now, first.person))
            first.decided.set()

    def _grant(self, entry: FairQueueEntry, now: float) -> None:
        # First what may fail, so that a bug leaves the queue as it was.
        reservation = self._budget.reserve(entry.tokens, now)
        of_model = entry.of_model.reserve(entry.tokens, now) if entry.of_model else None
        self._limiter.acquire_on_behalf_of_nowait(entry)
        entry.reservation, entry.model_reservation = reservation, of_model

    @contextmanager
    def at_once(self, tokens: float, of_model: Budget | None = None) -> Iterator[FairQueueEntry | None]:
        """A slot, held until the block is left, and budget; None where somebody waits, or there is neither.

        It counts for no person, and takes only what the budget can spare.
        """
        now = trio.current_time()
        entry = FairQueueEntry("", tokens, 0, now, now, of_model=of_model)
        spared = all(budget.spares(tokens, now) for budget in (self._budget, of_model) if budget is not None)
        if self._entries or not spared or self._limiter.borrowed_tokens >= self._limit.current:
            yield None
            return
        self._grant(entry, now)
        try:
            yield entry
        finally:
            self._leave(entry)

    def _next(self, now: float) -> tuple[FairQueueEntry, float]:
        """Whose turn it is, and for how many seconds the budget makes it wait.

        One that waits for the budget of its model holds up none of another model.
        """
        soonest: tuple[FairQueueEntry, float] | None = None
        for entry in self._in_order():
            wait = entry.of_model.delay(entry.tokens, now) if entry.of_model else 0.0
            if not wait:
                return entry, self._wait(entry, now)
            if soonest is None or wait < soonest[1]:
                soonest = entry, wait
        assert soonest is not None  # noqa: S101  # for mypy: it is only called while some wait
        return soonest

    def refuse_where(self, why: Callable[[FairQueueEntry], Exception | None]) -> None:
        """Remove the entries that there is a reason for; `granted` raises it."""
        for entry in tuple(self._entries):
            if (error := why(entry)) is not None:
                self._refuse(entry, error)
        self.serve()

    def _refuse(self, entry: FairQueueEntry, error: Exception) -> None:
        self._remove(entry)
        entry.refusal = error
        entry.decided.set()

    @staticmethod
    def _wake_at(entry: FairQueueEntry, due: float) -> None:
        entry.due = due
        if entry.waiting is not None:
            entry.waiting.deadline = min(entry.waiting.deadline, due)

    def _wait(self, entry: FairQueueEntry, now: float) -> float:
        """Seconds for which the budget makes this one wait."""
        if self._served_by_person[entry.person]:
            return self._budget.wait_evenly(entry.tokens, now)
        return self._budget.delay(entry.tokens, now)

    def _enforce_size(self) -> None:
        """Refuse the newest question of whoever has most in the queue."""
        if len(self._entries) <= self._queue_size:
            return
        most = max(self._waiting_by_person.values())
        theirs = (entry for entry in self._entries if self._waiting_by_person[entry.person] == most)
        self._refuse(max(theirs, key=lambda entry: entry.number), FairQueueFull())

    def _leave(self, entry: FairQueueEntry) -> None:
        """What this one waited for, or held, is for others."""
        try:
            if entry.reservation is not None:
                self._limiter.release_on_behalf_of(entry)
                if not entry.sent:
                    self._give_back(entry, entry.reservation)
            elif not entry.decided.is_set():
                self._remove(entry)
        finally:
            self.serve()

    def _give_back(self, entry: FairQueueEntry, reservation: BudgetReservation) -> None:
        now = trio.current_time()
        self._budget.give_back(reservation, now)
        if entry.of_model is not None and entry.model_reservation is not None:
            entry.of_model.give_back(entry.model_reservation, now)

    def _in_order(self) -> list[FairQueueEntry]:
        """Those who wait, the next one first."""
        if not self._sorted:
            self._entries.sort(key=self._rank)
            self._sorted = True
        return self._entries

    def _rank(self, entry: FairQueueEntry) -> tuple[int, int]:
        """The sort key: what the person was granted lately and still waits for, then the order of arrival."""
        person = entry.person
        return self._served_by_person[person] + self._waiting_by_person[person], entry.number

    def _remove(self, entry: FairQueueEntry) -> None:
        self._entries.remove(entry)
        self._sorted = False
        self._waiting_by_person[entry.person] -= 1
        if not self._waiting_by_person[entry.person]:
            del self._waiting_by_person[entry.person]

    def _forget_old(self, now: float) -> None:
        while self._served and self._served[0][0] <= now - REMEMBERED:
            _, person = self._served.popleft()
            self._served_by_person[person] -= 1
            self._sorted = False
            if not self._served_by_person[person]:
                del self._served_by_person[person]
