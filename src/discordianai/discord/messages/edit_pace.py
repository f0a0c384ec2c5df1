"""How often the messages that stream are edited."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

EDITS_PER_SECOND = 50.0
"""Of all messages that stream. Discord exempts interactions from the bot's limit of 50 requests a second, but
not the machine from the work: a hundred answers are edited every two seconds."""


class EditPace:
    """How often messages are edited, all of them together; shared by all replies."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._streaming = 0
        self._held_until = 0.0

    @property
    def interval(self) -> float:
        """Seconds between two edits of a message, at this moment."""
        return max(self._interval, self._streaming / EDITS_PER_SECOND)

    @property
    def free_at(self) -> float:
        """When, on trio's clock, an edit that may be left out should come at the earliest."""
        return self._held_until

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """One more answer streams while the block runs."""
        self._streaming += 1
        try:
            yield
        finally:
            self._streaming -= 1

    def hold(self, seconds: float) -> None:
        """Discord has refused an edit: all of them wait for so long."""
        self._held_until = max(self._held_until, trio.current_time() + seconds)
