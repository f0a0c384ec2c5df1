"""Has functions run on another thread's loop, in order, and wakes that loop once for all that wait.

Each wake writes to a socket and lets go of the GIL, which takes up to 5 ms to come back: in a burst of 500
commands that was a third of what the listener's thread did.
"""

from collections import deque
from collections.abc import Callable

import structlog

from discordianai.guard import Guard


class EntryQueue:
    """Many threads post, one loop takes. `wake` is that loop's way to have a function called soon."""

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        self._wake = wake
        self._waiting: deque[Callable[[], object]] = deque()
        self._woken = False
        # An error would end the loop whose callback this is, and with it the process.
        self._guard = Guard(
            structlog.get_logger("discordianai.discord.gateway.entry_queue"), "a bug between two threads"
        )

    def post(self, function: Callable[[], object]) -> None:
        """Have it called after all that was posted before; errors are logged. Raises what `wake` raises."""
        self._waiting.append(function)
        # No lock: who sees it woken has appended before it empties the box, which begins by unsetting this.
        if not self._woken:
            self._woken = True
            self._wake(self._empty)

    def _empty(self) -> None:
        self._woken = False
        while self._waiting:
            with self._guard:
                self._waiting.popleft()()
