"""Changes that the database would not take, kept in memory until it does."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.sqlite.writer import Call

MOST_BYTES = 8 * 2**20
"""About 5000 exchanges. The oldest are dropped then."""

OVERHEAD = 500


@dataclass(frozen=True, slots=True)
class PendingWrite:
    """One change of the database.

    `applied` is called with the result once it is on disk, `failed` when it never will be. `packed` are the
    turns that it adds to the conversation `key`. What is not `keepable` is only tried once. `question` is
    the interaction that it accepts.
    """

    call: Call
    applied: Callable[[Any], None] = lambda _: None
    failed: Callable[[], None] = lambda: None
    keepable: bool = True
    key: ConversationKey | None = None
    packed: bytes = b""
    question: int | None = None
    size: int = 0


class Backlog:
    """In order, oldest first, within a bound in bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._changes: deque[PendingWrite] = deque()
        self._size = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: PendingWrite) -> None:
        """Keep a change, dropping the oldest ones where it does not fit."""
        self._changes.append(change)
        self._size += _size(change)
        while self._size > self._most:
            self.remove_first().failed()
            self.lost += 1

    @property
    def first(self) -> PendingWrite:
        """The oldest change."""
        return self._changes[0]

    def remove_first(self) -> PendingWrite:
        """Take the oldest change out."""
        change = self._changes.popleft()
        self._size -= _size(change)
        return change

    def turns(self, key: ConversationKey) -> bytes:
        """What waits to be added to that conversation, packed."""
        return b"".join(change.packed for change in self._changes if change.key == key)

    def accepts(self, interaction_id: int) -> bool:
        """Whether a question of that interaction is waiting here."""
        return any(change.question == interaction_id for change in self._changes)


def _size(change: PendingWrite) -> int:
    return OVERHEAD + len(change.packed) + change.size
