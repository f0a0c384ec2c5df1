"""Writes, and those that the database does not take now."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from discordianai.conversations.accounting import Charge
from discordianai.conversations.conversation_key import ConversationKey

MAX_BYTES = 8 * 2**20
"""About 5000 exchanges. Beyond it the oldest writes are dropped."""

OVERHEAD = 500

Statements = TypeVar("Statements")
"""What an engine runs in a transaction: perhaps twice, if the first one failed."""


@dataclass(frozen=True, slots=True, eq=False)
class Write(Generic[Statements]):
    """One transaction's statements, and what follows.

    `on_commit` is called with their result once it is durable, `on_failure` when it never will be. A write
    that is not `deferrable` fails at once where the database cannot be written. `packed` are the turns that
    it adds to the conversation `key`, `charges` those that it adds to the accounts; `question` is the
    interaction whose question it stores; `size` is about how many bytes it keeps in memory beside `packed`;
    `made_at` is in seconds of the monotonic clock.
    """

    statements: Statements
    on_commit: Callable[[Any], None] = lambda _: None
    on_failure: Callable[[], None] = lambda: None
    deferrable: bool = True
    key: ConversationKey | None = None
    packed: bytes = b""
    charges: tuple[Charge, ...] = ()
    question: int | None = None
    size: int = 0
    made_at: float = field(default_factory=time.monotonic)


class Backlog(Generic[Statements]):
    """In the order in which they were made, oldest first, within a bound in bytes.

    One that was on its way when the database failed comes here after later ones, and must not be overtaken by
    them: a question that is finished first would have no answer to remember.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._writes: deque[Write[Statements]] = deque()
        self._size = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._writes)

    def __iter__(self) -> Iterator[Write[Statements]]:
        return iter(self._writes)

    def add(self, write: Write[Statements]) -> None:
        """Keep a write; the oldest ones are dropped where it does not fit."""
        place = len(self._writes)
        while place and self._writes[place - 1].made_at > write.made_at:
            place -= 1
        self._writes.insert(place, write)
        self._size += _size(write)
        while self._size > self._max_bytes:
            oldest = self.first
            self.remove(oldest)
            oldest.on_failure()
            self.lost += 1

    @property
    def first(self) -> Write[Statements]:
        """The oldest write."""
        return self._writes[0]

    def remove(self, write: Write[Statements]) -> bool:
        """Take a write out; False if it was dropped already."""
        try:
            self._writes.remove(write)
        except ValueError:
            return False
        self._size -= _size(write)
        return True


def _size(write: Write[Statements]) -> int:
    return OVERHEAD + len(write.packed) + write.size
