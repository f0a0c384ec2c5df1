"""How often a bot may identify: so many times a day, and once in five seconds for each bucket of shards."""

from dataclasses import dataclass, field

import trio

from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.discord.shard import SandboxShard

DAY = 86_400.0
"""Seconds until the limit is reset once more."""


@dataclass(frozen=True, slots=True)
class Identify:
    """One IDENTIFY with the right token, whatever its answer."""

    time: float
    """On trio's clock."""
    shard: SandboxShard
    bucket: int
    """`shard.id % max_concurrency`."""


@dataclass(slots=True)
class SessionStartLimit:
    """Discord's `session_start_limit`. Tests may change its figures at any time."""

    total: int
    remaining: int
    resets_at: float
    """By the local Discord's clock."""
    max_concurrency: int
    interval: float
    """Seconds between two IDENTIFYs in a bucket."""
    record: list[Identify] = field(default_factory=list)
    _latest: dict[int, float] = field(default_factory=dict)

    def json(self, now: float) -> Json:
        """As `GET /gateway/bot` has it."""
        self._reset(now)
        return {
            "total": self.total,
            "remaining": self.remaining,
            "reset_after": int((self.resets_at - now) * 1000),
            "max_concurrency": self.max_concurrency,
        }

    def take(self, shard: SandboxShard, now: float) -> bool:
        """Count an IDENTIFY; False if none was left. Then Discord resets the bot's token."""
        self._reset(now)
        if not self.remaining:
            return False
        self.remaining -= 1
        self.record.append(Identify(trio.current_time(), shard, shard.id % self.max_concurrency))
        return True

    def may_start(self, shard: SandboxShard, now: float) -> bool:
        """Whether the last IDENTIFY in the shard's bucket is long enough ago. This one is now the last."""
        bucket = shard.id % self.max_concurrency
        before, self._latest[bucket] = self._latest.get(bucket, -float("inf")), now
        return now - before >= self.interval

    def _reset(self, now: float) -> None:
        if now >= self.resets_at:
            self.remaining, self.resets_at = self.total, now + DAY
