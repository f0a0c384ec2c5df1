"""How soon a connection to one origin may be opened again after one that was of no use.

Whatever the cause: refused, no such host, closed or sent away at once, no stream allowed, the protocol
broken. Until one has served an answer, attempts are made one at a time, with exponential backoff and jitter.
"""

import math
import random
from collections.abc import Callable

import anyio

from discordianai.transport.deadlines import DeadlineWatcher

INITIAL_DELAY = 0.1
MAX_DELAY = 3.0
"""Seconds; short of the pool timeout, so that whoever waits sees at least one attempt."""


class ConnectBackoff:
    """`due` is called when an attempt that was put off may be made."""

    def __init__(self, deadlines: DeadlineWatcher, due: Callable[[], None]) -> None:
        self.deadline = math.inf
        self.attempt = 0
        """The number of the attempts that are made now; those made in one moment share it."""
        self._deadlines = deadlines
        self._due = due
        self._failures = 0
        self._not_before = 0.0

    def allowed(self, opening: int) -> bool:
        """Whether one may be opened now, while `opening` are; if not, `due` will tell."""
        if not self._failures:
            return True
        if opening:
            return False  # what becomes of it will tell
        if anyio.current_time() >= self._not_before:
            return True
        self.deadline = self._not_before
        self._deadlines.watched.add(self)
        self._deadlines.reschedule(self.deadline)
        return False

    def failed(self, attempt: int) -> None:
        """A connection of that attempt was of no use."""
        if attempt < self.attempt:
            return  # others of the same moment were not, either
        self.attempt += 1
        delay = min(INITIAL_DELAY * 2**self._failures, MAX_DELAY)
        self._failures = min(self._failures + 1, 10)
        # Jitter, so that many clients of one server don't come back in one moment; no secret depends on it.
        self._not_before = anyio.current_time() + delay * random.uniform(0.5, 1)  # noqa: S311  # see above

    def succeeded(self) -> None:
        """An answer has come."""
        self._failures = 0

    def close(self) -> None:
        """There will be no attempt any more."""
        self.deadline = math.inf
        self._deadlines.watched.discard(self)

    def deadline_passed(self) -> None:
        """See `deadlines.HasDeadline`."""
        self.close()
        self._due()
