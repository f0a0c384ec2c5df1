"""What a reply shows while there is no text: what it said last, or since when the model thinks."""

import math
import time
from collections.abc import Callable

import trio

from discordianai.discord.rendering.characters import seen_on_one_line

LONGEST_QUERY = 100
"""Characters that are shown of a query."""


def searching(query: str) -> str:
    """Says that the web is searched; a model wrote `query`.

    It stands in inline code, where Discord shows neither mentions nor links nor other Markdown.
    """
    shown = seen_on_one_line(query.replace("`", "'"))
    if len(shown) > LONGEST_QUERY:
        shown = f"{shown[: LONGEST_QUERY - 1].rstrip()}…"
    return f"Searching the web for `{shown}`" if shown else "Searching the web"


def thinking(since: float) -> str:
    """For how long already; Discord itself counts on. `since` is in seconds since the epoch."""
    return f"Thinking, started <t:{int(since)}:R>"


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
