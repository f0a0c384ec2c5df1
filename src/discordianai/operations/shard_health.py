"""The shards of a snapshot in words: how many are connected, and which are not, and why."""

import time
from collections.abc import Iterator

from discordianai.discord.discord_statistics import DiscordStatistics
from discordianai.discord.shard_statistics import ShardStatistics

MOST_NAMED = 5
"""Shards that are told with the reason; of the others only how many there are."""


def connected(discord: DiscordStatistics) -> int:
    """How many shards of this process are."""
    return sum(shard.connected for shard in discord.shards.values())


def count(discord: DiscordStatistics) -> str:
    """As in `7 of 16 shards`; of a process that has some of the bot's, also how many that has."""
    run = len(discord.shards)
    all_of_them = f" (the bot has {discord.shard_total})" if run != discord.shard_total else ""
    return f"{connected(discord)} of {run} shard{'s' * (run != 1)}{all_of_them}"


def not_connected(discord: DiscordStatistics, now: float) -> str:
    """As in `3 of 4 shards are connected; not connected: 2 (the connection was lost)`."""
    unwell = {number: shard for number, shard in discord.shards.items() if not shard.connected}
    named = [f"{number}{_why(shard, now)}" for number, shard in list(unwell.items())[:MOST_NAMED]]
    if len(unwell) > MOST_NAMED:
        named.append(f"and {len(unwell) - MOST_NAMED} more")
    return f"{count(discord)} are connected; not connected: {', '.join(named)}"


def _why(shard: ShardStatistics, now: float) -> str:
    words = list(_told(shard, now))
    return f" ({'; '.join(words)})" if words else ""


def _told(shard: ShardStatistics, now: float) -> Iterator[str]:
    if shard.trouble:
        yield shard.trouble
    if shard.trouble and shard.next_try > now:
        yield f"the next try is at {utc(shard.next_try)}"


def utc(seconds: float) -> str:
    """A time in seconds since the epoch, in words."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # a snapshot from a file may say anything
        return "an unknown time"
