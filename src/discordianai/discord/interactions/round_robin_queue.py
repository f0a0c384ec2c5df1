"""Runs work of one class for many people: within limits, and in turn.

Fair queueing (RFC 970): each person has a queue, and the queues are served round robin. So whoever brings a
hundred pieces of work waits for those, and everybody else for at most one of each other person.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
import trio

from discordianai.guard import Guard

Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """How much runs at once and how much waits: in all, and of each person. `seconds` bounds each run."""

    running: int
    running_each: int
    waiting: int
    waiting_each: int
    seconds: float


class RoundRobinQueue(Generic[Work]):
    """Used on the trio thread; the work runs in `nursery`.

    If too much waits, the newest piece of whoever has most waiting is passed to `drop`, which returns at
    once. An error of `run` ends only that piece of work.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        bounds: QueueBounds,
        run: Callable[[Work], Awaitable[None]],
        drop: Callable[[Work], object],
    ) -> None:
        self._nursery = nursery
        self._bounds = bounds
        self._run = run
        self._drop = drop
        self._running: Counter[int] = Counter()
        self._waiting: OrderedDict[int, deque[Work]] = OrderedDict()  # in the order of their turns
        self._ended = trio.Event()  # a piece of work, after this moment
        self._log = structlog.get_logger("discordianai.discord.interactions.round_robin_queue")

    def put(self, person_id: int, work: Work) -> None:
        """Run it when its turn comes, or drop it. Raises what `drop` raises."""
        own = self._waiting.setdefault(person_id, deque())
        own.append(work)
        self._start_next()
        if len(own) > self._bounds.waiting_each:
            self._drop_newest_of(person_id)
        elif sum(map(len, self._waiting.values())) > self._bounds.waiting:
            most = max(map(len, self._waiting.values()))
            others = (key for key, queue in self._waiting.items() if len(queue) == most)
            self._drop_newest_of(person_id if len(own) == most else next(others))

    async def wait_idle(self) -> None:
        """Return when nothing runs or waits. The caller bounds the wait."""
        while self._running or self._waiting:
            await self._ended.wait()

    def _drop_newest_of(self, person_id: int) -> None:
        queue = self._waiting[person_id]
        work = queue.pop()
        if not queue:
            del self._waiting[person_id]
        self._drop(work)

    def _start_next(self) -> None:
        """Start as much as the limits allow."""
        while self._running.total() < self._bounds.running:
            person_id = self._whose_turn()
            if person_id is None:
                return
            queue = self._waiting[person_id]
            work = queue.popleft()
            self._waiting.move_to_end(person_id)
            if not queue:
                del self._waiting[person_id]
            try:
                self._nursery.start_soon(self._do, person_id, work)
            except RuntimeError:  # the nursery has ended: the bot is stopping
                return
            self._running[person_id] += 1

    def _whose_turn(self) -> int | None:
        """The first person who has work waiting and may run more."""
        room = self._bounds.running_each
        return next((key for key in self._waiting if self._running[key] < room), None)

    async def _do(self, person_id: int, work: Work) -> None:
        kind = type(work).__name__
        try:
            with Guard(self._log, "bug in queued work", kind=kind):
                with trio.move_on_after(self._bounds.seconds) as scope:
                    await self._run(work)
                if scope.cancelled_caught:
                    self._log.warning("took too long and was cancelled", kind=kind)
        finally:
            self._running[person_id] -= 1
            if not self._running[person_id]:
                del self._running[person_id]
        with Guard(self._log, "bug while starting the next piece of work"):
            self._start_next()
        self._ended.set()
        self._ended = trio.Event()
