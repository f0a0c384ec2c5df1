"""Paces and counts the IDENTIFYs of all shards together, as Discord limits them.

A bot may identify about a thousand times a day, whichever shard does. At a time, `max_concurrency` shards
may: they form buckets, `shard_id % max_concurrency`, and within a bucket two IDENTIFYs are five seconds
apart. Every IDENTIFY that is sent counts, whatever the answer. RESUMEs need none of this.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Awaitable, Callable

import trio

from discordianai.discord.gateway.backoff import Backoff
from discordianai.discord.gateway.session_limit import GatewayUnavailable, SessionEnded, StartLimit

RESERVE = 50
"""Identifies that are never used."""

LEAST_GAP = 5.0
"""Seconds between two identifies of one bucket; Discord's own."""

MARGIN = 0.25
"""Seconds more than that between two shards: their IDENTIFYs may take differently long to Discord."""

LONGEST_GAP = 120.0
"""Seconds between the tries of a shard that keeps failing: 720 a day."""

INVALID_SESSION_PAUSE = (1.0, 5.0)
"""Seconds, from and to: after op 9 Discord wants a random pause between these."""

TURN_TIMEOUT = 30.0
"""Seconds that a connected shard waits to identify while other shards of its bucket do."""

USED_UP = f"the day's identifies are used up, except for a reserve of {RESERVE}"


class Identifies:
    """What the shards share: the day's limit, asked for once, and the buckets.

    `ask` is called on trio, and may raise `GatewayUnavailable` or `ListenerRefused`. All else may be called
    on any thread. `clock` gives monotonic seconds; `note_left` hears `left` whenever that changes.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[StartLimit]],
        *,
        clock: Callable[[], float] = time.monotonic,
        note_left: Callable[[int | None], object] | None = None,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._note_left = note_left or (lambda _left: None)
        self._asking = trio.Lock()
        self._told: set[int] = set()  # the shards that have used the last answer
        self._answered_at = -math.inf
        self._failures = 0
        self._failure: GatewayUnavailable | None = None
        self._silent_until = -math.inf
        self._lock = threading.Lock()
        self._left: int | None = None
        self._resets_at = -math.inf
        self._buckets = 1
        self._slots: dict[int, float] = {}  # for each bucket: when its next shard may begin to connect
        self._sent: dict[int, float] = {}  # and when its last IDENTIFY was sent

    @property
    def left(self) -> int | None:
        """How many Discord allows until its limit is reset; None before it has been asked."""
        return self._left

    async def allow(self, shard_id: int) -> float:
        """Seconds until this shard's next session may begin, as far as the day's limit goes.

        One answer of Discord's serves every shard once. Raises what `ask` does; while that has just failed,
        the same again without asking.
        """
        await self.learn(shard_id)
        with self._lock:
            wait = max(self._resets_at - self._clock(), LEAST_GAP)
            return wait if self._left is not None and self._left <= RESERVE else 0.0

    async def learn(self, shard_id: int) -> StartLimit | None:
        """Ask Discord, unless there is an answer that this shard has not used yet. Raises what `ask` does."""
        async with self._asking:
            now = self._clock()
            if self._failure is not None and now < self._silent_until:
                raise GatewayUnavailable(str(self._failure), self._silent_until - now)
            fresh = now - self._answered_at < LONGEST_GAP and now < self._resets_at
            if fresh and shard_id not in self._told:
                self._told.add(shard_id)
                return None
            try:
                limit = await self._ask()
            except GatewayUnavailable as error:
                self._fail(error)
                raise
            self._failure, self._failures = None, 0
            self._answered_at, self._told = self._clock(), {shard_id}
            self.note_limit(limit)
            return limit

    def _fail(self, error: GatewayUnavailable) -> None:
        """Half as long as the shard waits that has asked: it asks again, the others with it."""
        self._failure = error
        gap = min(LEAST_GAP * 2.0 ** min(self._failures, 16), LONGEST_GAP) / 2
        self._failures += 1
        self._silent_until = self._clock() + max(gap, error.retry_after)

    def note_limit(self, limit: StartLimit) -> None:
        """Discord's figure counts, but within one period never more than was left before."""
        now = self._clock()
        with self._lock:
            known = self._left if self._left is not None and now < self._resets_at else limit.remaining
            self._left = min(known, limit.remaining)
            self._resets_at = now + max(limit.resets_in, LEAST_GAP)
            self._buckets = limit.max_concurrency
            left = self._left
        self._note_left(left)

    def reserve(self, shard_id: int) -> float:
        """Seconds until this shard should connect, so that it may identify at once when it has."""
        with self._lock:
            bucket, now = shard_id % self._buckets, self._clock()
            at = max(now, self._slots.get(bucket, now), self._sent.get(bucket, -math.inf) + LEAST_GAP)
            self._slots[bucket] = at + LEAST_GAP + MARGIN
            return at - now

    def take(self, shard_id: int) -> float:
        """Seconds until this shard may identify; 0 counts its IDENTIFY, which is sent at once.

        Raises `SessionEnded` where only the reserve is left.
        """
        with self._lock:
            bucket, now = shard_id % self._buckets, self._clock()
            if self._left is not None and self._left <= RESERVE:
                raise SessionEnded(USED_UP)
            if (wait := self._sent.get(bucket, -math.inf) + LEAST_GAP + MARGIN - now) > 0:
                return wait
            self._sent[bucket] = now
            if self._left is not None:
                self._left -= 1
            left = self._left
        self._note_left(left)
        return 0.0

    def note_sent(self, shard_id: int) -> None:
        """The IDENTIFY for which `take` has returned 0 is sent by now."""
        with self._lock:
            self._sent[shard_id % self._buckets] = self._clock()


class IdentifyPacer:
    """Paces the sessions of one shard; outlives them.

    While a session runs, its thread alone uses this, and otherwise the supervisor's.
    """

    def __init__(
        self,
        identifies: Identifies,
        shard_id: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._identifies = identifies
        self._shard_id = shard_id
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, protects nothing
        self.backoff = Backoff(LEAST_GAP, LEAST_GAP, LONGEST_GAP, clock=clock, chance=self._chance)

    async def allow(self) -> float:
        """See `Identifies.allow`. On trio."""
        return await self._identifies.allow(self._shard_id)

    def reserve(self) -> float:
        """See `Identifies.reserve`."""
        return self._identifies.reserve(self._shard_id)

    async def turn(self) -> None:
        """Return when the IDENTIFY may be sent. Raises `SessionEnded`. On asyncio."""
        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                while wait := self._identifies.take(self._shard_id):  # noqa: ASYNC110  # time tells nobody
                    await asyncio.sleep(wait)
        except TimeoutError:
            raise SessionEnded("other shards were identifying all the time") from None
        self.backoff.begin()

    def note_sent(self) -> None:
        """The IDENTIFY is sent."""
        self._identifies.note_sent(self._shard_id)

    def lose(self, failure: Exception) -> None:
        """The session is over, or has not begun; `failure` decides how long the next one waits."""
        invalid = isinstance(failure, SessionEnded) and failure.invalid
        self.backoff.lose(self._chance.uniform(*INVALID_SESSION_PAUSE) if invalid else 0.0)
        if isinstance(failure, GatewayUnavailable):
            self.backoff.hold(failure.retry_after)
