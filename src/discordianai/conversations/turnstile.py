"""One question of a conversation at a time, in the order they came."""

from collections import deque
from collections.abc import Hashable
from types import TracebackType

import trio


class Turnstile:
    """A line for each key, kept only while somebody stands in it.

    Joining is synchronous: trio starts tasks in no particular order, so a lock that each task takes for
    itself would not keep theirs.
    """

    def __init__(self) -> None:
        self._lines: dict[Hashable, deque[Turn]] = {}

    def line_up(self, key: Hashable) -> "Turn":
        """Join the line of `key`; the caller enters the turn, or leaves it, whatever happens."""
        line = self._lines.setdefault(key, deque())
        turn = Turn(self, key)
        line.append(turn)
        if line[0] is turn:
            turn.come.set()
        return turn

    def leave(self, turn: "Turn") -> None:
        """Let the next one in, or close the gap if it was not this one's turn yet."""
        line = self._lines[turn.key]
        line.remove(turn)
        if line:
            line[0].come.set()
        else:
            del self._lines[turn.key]

    def __len__(self) -> int:
        """How many keys are in use."""
        return len(self._lines)


class Turn:
    """A place in a line. `async with turn:` waits until all who came before have left."""

    def __init__(self, turnstile: Turnstile, key: Hashable) -> None:
        self.key = key
        self.come = trio.Event()
        self._turnstile = turnstile

    async def __aenter__(self) -> None:
        try:
            await self.come.wait()
        except BaseException:
            self._turnstile.leave(self)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._turnstile.leave(self)
