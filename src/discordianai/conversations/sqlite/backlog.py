"""Writes that the database does not take now, kept in memory until it does."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite.writer import Statements

MAX_BYTES = 8 * 2**20
"""About 5000 exchanges. Beyond it the oldest writes are dropped."""

OVERHEAD = 500


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One transaction's statements, and what follows.

    `on_commit` is called with their result once it is on disk, `on_failure` when it never will be. A write
    that may not `wait` for a database that cannot be written fails at once. `packed` are the turns that it
    adds to the conversation `key`; `question` is the interaction whose question it stores; `size` is about
    how many bytes it keeps in memory beside `packed`.
    """

    statements: Statements
    on_commit: Callable[[Any], None] = lambda _: None
    on_failure: Callable[[], None] = lambda: None
    wait: bool = True
    key: ConversationKey | None = None
    packed: bytes = b""
    question: int | None = None
    size: int = 0


class Backlog:
    """In order, oldest first, within a bound in bytes."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._writes: deque[Write] = deque()
        self._size = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[Write]:
        return iter(self._writes)

    def add(self, write: Write) -> None:
        """Keep a write; the oldest ones are dropped where it does not fit."""
        self._writes.append(write)
        self._size += _size(write)
        while self._size > self._max_bytes:
            self.remove_first().on_failure()
            self.lost += 1

    @property
    def first(self) -> Write:
        """The oldest write."""
        return self._writes[0]

    def remove_first(self) -> Write:
        """Take the oldest write out."""
        write = self._writes.popleft()
        self._size -= _size(write)
        return write


def _size(write: Write) -> int:
    return OVERHEAD + len(write.packed) + write.size
