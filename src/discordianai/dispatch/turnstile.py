"""So many of each key at a time, in the order they came: a conversation's questions, a person's."""

from collections import deque
from collections.abc import Hashable
from itertools import islice
from types import TracebackType
from typing import Self

import trio


class Turnstile:
    """A line for each key, of which the first `width` are let in; kept only while somebody stands in it.

    Joining is synchronous: trio starts tasks in no particular order, so a lock that each task takes for
    itself would not keep theirs.
    """

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._lines: dict[Hashable, deque[Spot]] = {}

    def line_up(self, key: Hashable) -> "Spot":
        """Join the line of `key`. The caller uses the spot as a context manager, whatever happens."""
        line = self._lines.setdefault(key, deque())
        spot = Spot(self, key)
        line.append(spot)
        self._let_in(line)
        return spot

    def reconfigure(self, width: int) -> None:
        """Let in so many of each key from now on; who is in stays."""
        self._width = width
        for line in self._lines.values():
            self._let_in(line)

    def leave(self, spot: "Spot") -> None:
        """Let the next one in, or close the gap if this one had not been let in; once for each spot."""
        line = self._lines.get(spot.key, deque())
        if spot not in line:
            return
        line.remove(spot)
        if line:
            self._let_in(line)
        else:
            del self._lines[spot.key]

    def _let_in(self, line: "deque[Spot]") -> None:
        for spot in islice(line, self._width):
            spot.let_in.set()

    def __len__(self) -> int:
        """How many keys are in use."""
        return len(self._lines)


class Spot:
    """A place in a line, held for as long as the block runs; `let_in` is set when it is this one's turn."""

    def __init__(self, turnstile: Turnstile, key: Hashable) -> None:
        self.key = key
        self.let_in = trio.Event()
        self._turnstile = turnstile

    def leave(self) -> None:
        """Give the place up without having used it."""
        self._turnstile.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._turnstile.leave(self)
