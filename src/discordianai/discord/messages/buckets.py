"""Discord's rate-limit buckets: what each route allows, as its responses say.

Requests to a bucket are sent one at a time: so it is always known what is left, and none is refused.
Interactions have a bucket each; all that the bot writes in a channel shares one, however many answers that
are. There, edits that may be left out are spread over the bucket's period, and what one person is written
leaves places for the others: so whoever asks next reads the first words at once.
"""

import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

import trio

MOST_BUCKETS = 1000
"""Channels that are remembered although nothing is written there; those with room are dropped first."""

RESERVED = 1
"""Requests of a shared bucket's period that are reserved from edits that may be skipped."""

FOR_OTHERS = 2
"""Requests of a shared bucket's period that one person leaves who has several answers there, or where others
are answered, too."""

CROWD = 5
"""Requests that wait for a bucket, from which on nothing joins them that may be skipped: as many as Discord
takes in five seconds."""

LONGEST_PERIOD = 10.0
"""Seconds in which a bucket that is shared refills: Discord's take five. One odd value counts no longer."""

OTHERS_WITHIN = 60.0
"""Seconds after which somebody no longer counts as one of the others."""


@dataclass(frozen=True, slots=True)
class Share:
    """Whose request it is, and of which of that person's answers."""

    person_id: int
    answer: int


class Bucket:
    """What Discord allows on one route, as each response says. Several answers have one `shared`."""

    def __init__(self, *, shared: bool = False) -> None:
        self._turn = trio.Lock()
        self._shared = shared
        self._limit, self._period = 0, 0.0
        self._even_at = -math.inf  # when the next one is due that may be left out
        self._recent: deque[tuple[float, Share]] = deque(maxlen=100)  # when, and for whom
        self.free_at = -math.inf
        """When, on trio's clock, there is room again for what has to arrive."""

    @property
    def is_spare(self) -> bool:
        """Whether a request that may be skipped can be sent now."""
        return not self._turn.locked() and trio.current_time() >= self.spare_at

    @property
    def spare_at(self) -> float:
        """When, on trio's clock, there is room again for what may be skipped."""
        return max(self.free_at, self._even_at)

    @property
    def is_crowded(self) -> bool:
        """Whether a request that may be skipped would wait for longer than what it shows is of use."""
        return self._turn.statistics().tasks_waiting >= CROWD

    @asynccontextmanager
    async def turn(self, share: Share | None = None) -> AsyncIterator[None]:
        """Wait for room, and for this share of it; the block is the request.

        Room is given in the order of the requests, except that nobody waits for somebody else's share.
        """
        while True:
            # No checkpoint otherwise: who asks whether there is a crowd has to see those who asked before.
            if (at := self.share_at(share)) > trio.current_time():
                await trio.sleep_until(at)
            async with self._turn:
                await trio.sleep_until(self.free_at)
                if self.share_at(share) <= trio.current_time():
                    if self._shared and share is not None:
                        self._recent.append((trio.current_time(), share))
                    yield
                    return

    def share_at(self, share: Share | None) -> float:
        """When, on trio's clock, there is room again in this share, as far as others and other answers go."""
        now = trio.current_time()
        while self._recent and self._recent[0][0] <= now - OTHERS_WITHIN:
            self._recent.popleft()
        most = self._limit - FOR_OTHERS
        if share is None or most <= 0:
            return -math.inf
        own = [(when, whose) for when, whose in self._recent if whose.person_id == share.person_id]
        lately = [whose for when, whose in own if when > now - self._period]
        alone = len(own) == len(self._recent) and set(lately) <= {share}
        return -math.inf if alone or len(own) < most else own[-most][0] + self._period

    def close_for(self, seconds: float) -> None:
        """Discord has said that it accepts nothing for so long."""
        self.free_at = max(self.free_at, trio.current_time() + seconds)

    def learn(self, left: int, limit: int, reset_after: float) -> None:
        """Discord has said how many of `limit` requests are left for so many seconds."""
        if left <= 0:
            self.close_for(reset_after)
        if not self._shared:
            return
        self._limit, self._period = limit, max(self._period, min(reset_after, LONGEST_PERIOD))
        # As many as may be taken, evenly spread over what is left of the period.
        spread = self._period * max(left - RESERVED, 0) / max(limit - RESERVED, 1)
        self._even_at = trio.current_time() + reset_after - spread


class ChannelBuckets:
    """The bucket of each channel, by its id."""

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[int, Bucket] = WeakValueDictionary()
        self._kept: dict[int, Bucket] = {}  # what Discord has said holds beyond the answer

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._in_use)

    def bucket(self, channel_id: int) -> Bucket:
        """All writers of a channel get the same one."""
        bucket = self._in_use.setdefault(channel_id, Bucket(shared=True))
        if channel_id not in self._kept and len(self._kept) >= MOST_BUCKETS:
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.is_spare}
        self._kept[channel_id] = bucket
        return bucket
