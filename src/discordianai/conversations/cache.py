"""A cache of recently used conversations, packed, limited in bytes.

A conversation that was read from the database may have changed by the time the read comes back. So a read
takes a permit, which a write to the conversation voids: the caller gets a stale read, but it is not cached.
"""

from collections import OrderedDict

from discordianai.conversations import packing
from discordianai.conversations.conversation_key import ConversationKey

OVERHEAD = 400
"""Bytes that an entry takes besides its turns: the key with its numbers, the `bytes` object, the slot in the
table. Measured with `tracemalloc` over 100,000 entries: 391.
"""


class FillPermit:
    """Permission to cache one conversation, until it is written to."""

    __slots__ = ("key",)

    def __init__(self, key: ConversationKey) -> None:
        self.key = key


class Cache:
    """Evicts the least recently used conversations first. For one thread; never waits."""

    def __init__(self, most_bytes: int, max_turns: int) -> None:
        self._most = most_bytes
        self._max_turns = max_turns
        self._packed: OrderedDict[ConversationKey, bytes] = OrderedDict()
        self._reads: dict[ConversationKey, FillPermit] = {}
        self._writes: dict[ConversationKey, int] = {}
        self.size = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._packed)

    def get(self, key: ConversationKey) -> bytes | None:
        """The conversation, if it is cached."""
        packed = self._packed.get(key)
        if packed is None:
            self.misses += 1
        else:
            self.hits += 1
            self._packed.move_to_end(key)
        return packed

    def reading(self, key: ConversationKey) -> FillPermit:
        """A read of `key` begins; its permit goes to `fill` or `discard` afterwards."""
        permit = FillPermit(key)
        if key not in self._writes:
            self._reads[key] = permit
        return permit

    def fill(self, permit: FillPermit, packed: bytes) -> None:
        """The read came back. It is cached unless there was a write meanwhile."""
        if self._reads.get(permit.key) is permit:
            self._put(permit.key, packed)
        self.discard(permit)

    def discard(self, permit: FillPermit) -> None:
        """The read is over, with or without a result."""
        if self._reads.get(permit.key) is permit:
            del self._reads[permit.key]

    def writing(self, key: ConversationKey) -> None:
        """A write to `key` begins; `wrote` or `failed` must follow, in the order of the commits."""
        self._reads.pop(key, None)
        self._writes[key] = self._writes.get(key, 0) + 1

    def wrote(self, key: ConversationKey, packed: bytes) -> None:
        """The turns are in the database."""
        self._written(key)
        present = self._packed.get(key)
        if present is not None:
            self._put(key, packing.newest(present + packed, self._max_turns))

    def failed(self, key: ConversationKey) -> None:
        """The turns are not in the database."""
        self._written(key)

    def remove(self, key: ConversationKey) -> None:
        """The conversation has changed."""
        self._reads.pop(key, None)
        packed = self._packed.pop(key, None)
        if packed is not None:
            self.size -= len(packed) + OVERHEAD

    def clear(self) -> None:
        """Everything may have changed."""
        self._reads.clear()
        self._packed.clear()
        self.size = 0

    def _written(self, key: ConversationKey) -> None:
        self._writes[key] -= 1
        if not self._writes[key]:
            del self._writes[key]

    def _put(self, key: ConversationKey, packed: bytes) -> None:
        old = self._packed.get(key)
        self.size += len(packed) - len(old) if old is not None else len(packed) + OVERHEAD
        self._packed[key] = packed
        self._packed.move_to_end(key)
        while self.size > self._most:
            _, dropped = self._packed.popitem(last=False)
            self.size -= len(dropped) + OVERHEAD
