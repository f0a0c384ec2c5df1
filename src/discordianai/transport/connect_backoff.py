"""How soon the next connection to an origin may be attempted after one that failed.

It failed if it was refused, could not resolve its host, was closed or sent GOAWAY at once, allowed no streams
or broke the protocol. Until a connection has brought a response, attempts are made one at a time, with
exponential backoff and jitter.
"""

import math
import random
from collections.abc import Callable

import anyio

from discordianai.transport.deadlines import DeadlineWatcher

INITIAL_DELAY = 0.1
MAX_DELAY = 3.0
"""Seconds; less than the pool timeout, so that every waiting request sees at least one attempt."""

MAX_EXPONENT = 10


class ConnectBackoff:
    """`due` is called when an attempt that had to wait may be made."""

    def __init__(self, deadlines: DeadlineWatcher, due: Callable[[], None]) -> None:
        self.deadline = math.inf
        self.attempt = 0
        """The number of the current attempt; connections that are opened together share it."""
        self._deadlines = deadlines
        self._due = due
        self._failures = 0
        self._not_before = 0.0

    def allowed(self, connecting: int) -> bool:
        """Whether a connection may be opened while `connecting` are; if not, `due` is called later."""
        if not self._failures:
            return True
        if connecting:
            return False  # their outcome decides
        if anyio.current_time() >= self._not_before:
            return True
        self.deadline = self._not_before
        self._deadlines.watched.add(self)
        self._deadlines.reschedule(self.deadline)
        return False

    def failed(self, attempt: int) -> None:
        """A connection of that attempt has failed."""
        if attempt < self.attempt:
            return  # others of the same attempt were counted
        self.attempt += 1
        delay = min(INITIAL_DELAY * 2**self._failures, MAX_DELAY)
        self._failures = min(self._failures + 1, MAX_EXPONENT)
        # Jitter keeps many clients of one server from coming back at once; no secret depends on it.
        self._not_before = anyio.current_time() + delay * random.uniform(0.5, 1)  # noqa: S311  # see above

    def succeeded(self) -> None:
        """A response has come."""
        self._failures = 0

    def close(self) -> None:
        """No more attempts."""
        self.deadline = math.inf
        self._deadlines.watched.discard(self)

    def deadline_passed(self) -> None:
        """See `deadlines.HasDeadline`."""
        self.close()
        self._due()
