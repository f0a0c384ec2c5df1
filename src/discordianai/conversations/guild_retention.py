"""Remembers which servers the bot is in, and drops what was said in those that it has left, after a while."""

import time

import structlog
import trio

from discordianai.conversations.channel_settings_cache import ChannelSettingsCache
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import Store, StoreError
from discordianai.guard import Guard
from discordianai.live import Live

LOOK_EVERY = 3600.0
DAY = 86_400.0


class GuildRetention:
    """On the trio thread.

    A server counts as left only if the bot was known to be in it: people also use it where it has never been.
    """

    def __init__(
        self, store: Store, channels: ChannelSettingsCache, options: Live[ConversationOptions]
    ) -> None:
        self._store = store
        self._channels = channels
        self._options = options
        self._log = structlog.get_logger("discordianai.conversations.guild_retention")
        self._news, self._heard = trio.open_memory_channel[tuple[frozenset[int], bool]](100)

    def note(self, guild_ids: frozenset[int], *, complete: bool) -> None:
        """The bot is in these servers now. Only where the list is `complete` were the others left."""
        try:
            self._news.send_nowait((guild_ids, complete))
        except trio.WouldBlock:
            self._log.debug("server list skipped: a newer one follows")

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drop_left_ones)
            guard = Guard(self._log, "bug while storing the server list")
            async for guild_ids, complete in self._heard:
                with guard:
                    await self._store_news(guild_ids, complete)

    async def _store_news(self, guild_ids: frozenset[int], complete: bool) -> None:
        try:
            if await self._learn(guild_ids, complete):
                await self._drop_left()  # where there is no grace, nobody waits for the next look
        except StoreError as error:
            self._log.warning("server list not stored", reason=str(error))

    async def _learn(self, guild_ids: frozenset[int], complete: bool) -> bool:
        """Store it; whether a server was left."""
        known = await self._store.present()
        for guild_id in guild_ids - known:
            await self._store.joined(guild_id)
        left = known - guild_ids if complete else frozenset[int]()
        for guild_id in left:
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
                    self._log.warning("a left server's data could not be deleted", reason=str(error))
            await trio.sleep(LOOK_EVERY)

    async def _drop_left(self) -> None:
        for guild_id in await self._store.left_before(time.time() - self._options.now.grace_days * DAY):
            removed = await self._store.drop_guild(guild_id)
            await self._channels.open()  # what was set for its channels is gone, too
            self._log.info("a left server's data deleted", turns=removed.turns, erased=removed.erased)
