"""How the local Discord behaves."""

from dataclasses import dataclass

PRIVILEGED_INTENTS = 1 << 1 | 1 << 8 | 1 << 15
"""Guild members, presences and message content."""


@dataclass(frozen=True, slots=True)
class DiscordOptions:
    """Times are in seconds."""

    token: str = "sandbox-token"  # noqa: S105  # it opens nothing
    allowed_intents: int = ~PRIVILEGED_INTENTS
    application_flags: int = 0
    heartbeat_interval: float = 40.0
    identifies: int = 1000
    """How many IDENTIFYs the bot has a day."""
    identifies_used: int = 0
    """How many of them it has sent before."""
    identify_reset_after: float = 3600.0
    """When the bot has all of them again."""
    identify_interval: float = 5.0
    """An IDENTIFY sooner than this after the last one in its bucket gets op 9."""
    max_concurrency: int = 1
    """How many buckets of shards there are."""
    recommended_shards: int = 1
    """What `GET /gateway/bot` recommends."""
    guilds_per_shard: int = 2500
    """A shard with more is refused."""
    more_guilds: int = 0
    """That the bot is in besides The Sandbox."""
    channels_per_guild: int = 10
    """In each of those."""
    sharding_required: bool = False
    """Whether a bot with one shard is refused, however few guilds it has."""
    webhook_requests: int = 5
    webhook_period: float = 5.0
