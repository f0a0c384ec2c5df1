"""What all shards together know of the bot's servers, channels and threads.

Each shard has a `GuildCache`, which its READY fills anew. Whoever asks about a channel does not say on which
shard it is, and need not: people may use the bot as an app of their own in any server, and on which shard
such an event comes is not documented. So every shard's cache is asked.
"""

from collections.abc import Iterable
from typing import Protocol

from discordianai.conversations.guild_retention import GuildList
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import UNKNOWN, Lineage
from discordianai.records import Place


class Rights(Protocol):
    """Who may attach files where."""

    def may_attach(self, place: Place, person_id: int, role_ids: Iterable[int]) -> bool:
        """Whether Discord lets that member attach files there; False where that is not known."""


class KnownGuilds(Protocol):
    """What the router asks about servers and channels: of one cache, or of all."""

    @property
    def file_rights(self) -> Rights:
        """Who may attach files where."""

    def own_among(self, role_ids: frozenset[int], bot_id: int) -> frozenset[int]:
        """See `GuildCache.own_among`."""

    def lineage(self, channel_id: int, told: Lineage = UNKNOWN) -> Lineage:
        """See `GuildCache.lineage`."""

    def parent_of(self, channel_id: int) -> int | None:
        """See `GuildCache.parent_of`."""

    def thread_opener_of(self, channel_id: int) -> int | None:
        """See `GuildCache.thread_opener_of`."""


class ShardedGuilds:
    """Used on the listener's thread alone. Outlives the sessions. `shards` is how many the bot has."""

    def __init__(self, shard_ids: Iterable[int] = (0,), shards: int = 1) -> None:
        self._caches = {shard_id: GuildCache() for shard_id in shard_ids}
        self._shards = shards
        self.file_rights = _AnyRights(self._caches.values())

    def of(self, shard_id: int) -> GuildCache:
        """What that shard's events say."""
        return self._caches[shard_id]

    def listed(self) -> GuildList:
        """The servers of all shards."""
        caches = self._caches.items()
        return GuildList(
            frozenset[int]().union(*(cache.guild_ids for _, cache in caches)),
            frozenset(shard_id for shard_id, cache in caches if cache.complete),
            self._shards,
        )

    def own_among(self, role_ids: frozenset[int], bot_id: int) -> frozenset[int]:
        """See `GuildCache.own_among`."""
        if not role_ids:
            return role_ids
        return frozenset[int]().union(*(cache.own_among(role_ids, bot_id) for cache in self._caches.values()))

    def lineage(self, channel_id: int, told: Lineage = UNKNOWN) -> Lineage:
        """See `GuildCache.lineage`: that of the shard which knows most."""
        found = Lineage((channel_id, *told.ids), told.complete)
        for cache in self._caches.values():
            line = cache.lineage(channel_id, told)
            if line.complete:
                return line
            if len(line.ids) > len(found.ids):
                found = line
        return found

    def parent_of(self, channel_id: int) -> int | None:
        """See `GuildCache.parent_of`."""
        return _first(cache.parent_of(channel_id) for cache in self._caches.values())

    def thread_opener_of(self, channel_id: int) -> int | None:
        """See `GuildCache.thread_opener_of`."""
        return _first(cache.thread_opener_of(channel_id) for cache in self._caches.values())


class _AnyRights:
    """A server is on one shard, and the other caches say False."""

    def __init__(self, caches: Iterable[GuildCache]) -> None:
        self._caches = caches

    def may_attach(self, place: Place, person_id: int, role_ids: Iterable[int]) -> bool:
        held = tuple(role_ids)
        return any(cache.file_rights.may_attach(place, person_id, held) for cache in self._caches)


def _first(found: Iterable[int | None]) -> int | None:
    return next((value for value in found if value is not None), None)
