"""Who is next among those with the same key: in order of arrival, so many at a time.

This is how a question waits for its person's earlier ones, and for those of its conversation.
"""

from collections import deque
from collections.abc import Hashable
from itertools import islice
from types import TracebackType
from typing import Self

import trio


class KeyedFifoLimiter:
    """A queue for each key, whose first `limit` tickets are admitted; kept only while it has tickets.

    Enqueueing is synchronous: trio starts tasks in no particular order, so that a lock which each task
    acquires for itself would not keep the order of their arrival.
    """

    def __init__(self, limit: int = 1) -> None:
        self._limit = limit
        self._queues: dict[Hashable, deque[Ticket]] = {}

    def enqueue(self, key: Hashable) -> "Ticket":
        """Join the queue of `key`. The caller must use the ticket as a context manager, or `leave` it."""
        queue = self._queues.setdefault(key, deque())
        ticket = Ticket(self, key)
        queue.append(ticket)
        self._admit(queue)
        return ticket

    def reconfigure(self, limit: int) -> None:
        """Admit so many of each key from now on; those that are admitted stay so."""
        self._limit = limit
        for queue in self._queues.values():
            self._admit(queue)

    def leave(self, ticket: "Ticket") -> None:
        """Remove a ticket, whether it was admitted or not, and admit the next one. Twice does no harm."""
        queue = self._queues.get(ticket.key, deque())
        if ticket not in queue:
            return
        queue.remove(ticket)
        if queue:
            self._admit(queue)
        else:
            del self._queues[ticket.key]

    def _admit(self, queue: "deque[Ticket]") -> None:
        for ticket in islice(queue, self._limit):
            ticket.admitted.set()

    def __len__(self) -> int:
        """How many keys are in use."""
        return len(self._queues)


class Ticket:
    """A place in a queue, held while the block runs; `admitted` is set when its turn has come."""

    def __init__(self, limiter: KeyedFifoLimiter, key: Hashable) -> None:
        self.key = key
        self.admitted = trio.Event()
        self._limiter = limiter

    def leave(self) -> None:
        """Give the place up, used or not."""
        self._limiter.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._limiter.leave(self)
