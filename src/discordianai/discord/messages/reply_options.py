"""How a reply is shown: how often its messages are edited, how many it may have, and who is told of what."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from discordianai.discord.messages.port import Messages

EDITS_PER_SECOND = 50.0
"""Of all messages that stream. Discord exempts interactions from the bot's limit of 50 requests a second, but
not the machine from the work: a hundred answers are edited every two seconds."""

MOST_WITHOUT_FILE = 20
"""Messages of an answer that was to come as a file, where Discord takes none."""

TELL_WITHIN = 20.0
"""Seconds to tell a person that an answer ends without its last words."""

OUTAGE_WAITS = (15.0, 30.0, 60.0, 120.0, 240.0)
"""Seconds until an answer's last words are tried again where Discord could not take one sentence. Each try
takes two minutes itself: an outage of a quarter of an hour is outlasted, which is as long as an interaction
takes words."""

ACCESS_WAITS = (2.0, 6.0, 12.0)
"""Seconds until they are tried again where the bot lacks a permission, before anybody is told: whoever
changes permissions often gets it wrong at first. In a channel, nothing is sent until the gateway tells of a
change."""


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


async def _nowhere(message_id: int, text: str) -> None:
    """For replies that no later process continues."""


async def _nobody(_words: str) -> bool | None:
    """For replies about which nobody must be told."""
    return True


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """How one answer is shown."""

    pace: EditPace
    """Shared by all replies."""
    max_messages: int = 5
    """An answer that needs more comes as a file."""
    most_without_file: int = MOST_WITHOUT_FILE
    """Messages that it may have where Discord takes no file."""
    may_attach: bool = True
    """False: as if Discord took no files."""
    note_further: Callable[[int, str], Awaitable[None]] = _nowhere
    """Told the id of each further message, and all that was written so far."""
    earlier_ids: tuple[int, ...] = ()
    """Further messages that an earlier process has written, in order."""
    elsewhere: Messages | None = None
    """Takes the rest of the answer when its place takes nothing more."""
    tell: Callable[[str], Awaitable[bool | None]] = _nobody
    """Says a sentence to the person where Discord takes nothing of an answer's end. Whether that was taken;
    None if Discord can take nothing at the moment."""
    can_search: bool = False
    clock: Callable[[], float] = time.time
    """The time of day."""

    @property
    def message_limit(self) -> int:
        """Messages that an answer may have from the beginning."""
        return self.max_messages if self.may_attach else max(self.max_messages, self.most_without_file)
