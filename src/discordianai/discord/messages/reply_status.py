"""What a reply shows while there is no text: what it said last, or since when the model thinks."""

import math
import time
from collections.abc import Callable

import trio

from discordianai.discord.rendering.status_text import searching, thinking

SILENCE = 5.0
"""Seconds without text after which a status shows since when the model thinks. Most answers start before."""


class ReplyStatus:
    """The newest status counts; `text` is in Discord's Markdown, and empty before the first.

    `clock` tells the time of day.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.text = ""
        self.due_at = math.inf
        """When, on trio's clock, `tell_thinking` is due."""
        self._searching = False  # the status says for what
        self._thinks_since = 0.0  # seconds since the epoch

    def say(self, status: str) -> None:
        """Show this."""
        self.text = f"-# {status}"
        self.due_at = math.inf

    def search(self, query: str) -> None:
        """The model searches the web; that it thinks says less from now on."""
        self._searching = True
        self.say(searching(query))

    def think(self) -> None:
        """The model thinks, which is told if it lasts."""
        if not self._searching:
            self._thinks_since = self._clock()
            self.due_at = trio.current_time() + SILENCE

    def tell_thinking(self) -> None:
        """It has lasted."""
        self.say(thinking(self._thinks_since))
