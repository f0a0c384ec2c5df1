"""What Discord allows at one address, as it tells with each answer.

Requests go one at a time: so it is always known what is left, and none is refused. Interactions have a bucket
each; all that the bot writes in a channel shares one, however many answers that are.
"""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import trio

MOST_BUCKETS = 1000
"""Of channels that are remembered though nobody writes there; those that have room go first."""


class Bucket:
    """Lives on the trio thread."""

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self.free_at = -math.inf
        """When, on trio's clock, there is room again."""

    @property
    def is_free(self) -> bool:
        """Whether a request can be sent at this moment."""
        return not self._turn.locked() and trio.current_time() >= self.free_at

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for room, in the order in which it was asked for; the block is the request."""
        async with self._turn:
            await trio.sleep_until(self.free_at)
            yield

    def close_for(self, seconds: float) -> None:
        """Discord has said that it takes nothing for so long."""
        self.free_at = max(self.free_at, trio.current_time() + seconds)


class ChannelBuckets:
    """The bucket of each channel, by its id."""

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[int, Bucket] = WeakValueDictionary()
        self._kept: dict[int, Bucket] = {}  # what Discord has said holds beyond the answer

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._in_use)

    def of(self, channel_id: int) -> Bucket:
        """All who write there get the same."""
        bucket = self._in_use.setdefault(channel_id, Bucket())
        if channel_id not in self._kept and len(self._kept) >= MOST_BUCKETS:
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.is_free}
        self._kept[channel_id] = bucket
        return bucket
