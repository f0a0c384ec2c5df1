"""Which servers the bot is in, and what is deleted after it left one."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
import trio

from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import (
    KeptInMemory,
    Store,
    StoreError,
)
from discordianai.guard import Guard
from discordianai.option import Live

LOOK_EVERY = 3600.0
STORE_AGAIN_AFTER = 10.0
"""Seconds between two looks for servers that were left, and between two tries to store a list."""


@dataclass(frozen=True, slots=True)
class GuildList:
    """The servers that the bot is known to be in.

    `complete` are those of the bot's `shards` (how many there are) whose servers are all listed. A server of
    another shard may be there though it is not: that shard has not connected yet, or another process runs it.
    """

    guild_ids: frozenset[int]
    complete: frozenset[int]
    shards: int = 1

    def left(self, known: frozenset[int]) -> frozenset[int]:
        """Those of the `known` servers that the bot is certainly no longer in."""
        # Which shard a server is on: https://discord.com/developers/docs/events/gateway#sharding
        return frozenset(
            guild_id for guild_id in known - self.guild_ids if (guild_id >> 22) % self.shards in self.complete
        )


class GuildRetention:
    """On the trio thread.

    A server counts as left only if the bot was known to be in it: people also use it where it has never been.
    `clock` is the store's.
    """

    def __init__(
        self,
        store: Store,
        channels: ChannelSettingsCache,
        options: Live[ConversationOptions],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._channels = channels
        self._options = options
        self._clock = clock
        self._log = structlog.get_logger("discordianai.conversations.guild_retention")
        self._news, self._heard = trio.open_memory_channel[GuildList](100)

    def note(self, guilds: GuildList) -> None:
        """The bot is in these servers now."""
        try:
            self._news.send_nowait(guilds)
        except trio.WouldBlock:  # each list is complete, so that the oldest is the least loss
            self._heard.receive_nowait()
            self._news.send_nowait(guilds)
            self._log.debug("an older server list skipped")

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drop_left_ones)
            guard = Guard(self._log, "bug while storing the server list")
            async for guilds in self._heard:
                with guard:
                    await self._store_news(guilds)

    async def _store_news(self, guilds: GuildList) -> None:
        """Try until it is stored: the data of a server that nobody knows of would never be deleted."""
        log = self._log.warning
        while True:
            try:
                if await self._learn(guilds):
                    await self._drop_left()  # where there is no grace, nobody waits for the next look
            except StoreError as error:
                log("server list not stored yet", reason=str(error))
                log = self._log.debug
                await trio.sleep(STORE_AGAIN_AFTER)
            else:
                return

    async def _learn(self, guilds: GuildList) -> bool:
        """Store it; whether a server was left."""
        known = await self._store.present()
        for guild_id in guilds.guild_ids - known:
            with suppress(KeptInMemory):
                await self._store.joined(guild_id)
        left = guilds.left(known)
        for guild_id in left:
            with suppress(KeptInMemory):
                await self._store.left(guild_id)
            self._log.info("bot removed from a server", grace_days=self._options.now.grace_days)
        return bool(left)

    async def _drop_left_ones(self) -> None:
        guard = Guard(self._log, "bug while deleting a left server's data")
        while True:
            with guard:
                try:
                    await self._drop_left()
                except StoreError as error:
                    self._log.warning("data of a server left could not be deleted", reason=str(error))
            await trio.sleep(LOOK_EVERY)

    async def _drop_left(self) -> None:
        for guild_id in await self._store.left_before(self._clock() - self._options.now.grace):
            removed = await self._store.drop_guild(guild_id)
            await self._channels.open()  # what was set for its channels is gone, too
            self._log.info("data of a server left deleted", turns=removed.turns, erased=removed.erased)
