"""The bot's servers and channels in memory: their settings, and what is deleted after it left one."""

import time
from contextlib import suppress

import structlog
import trio

from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import ChannelSettings, GuildRepository, Store, StoreError
from discordianai.guard import Guard
from discordianai.option import Live
from discordianai.records import Place

AFTER_A_BUG = 1.0
"""Seconds."""


class ChannelSettingsCache:
    """Read at the start; written through. Few channels have any settings."""

    def __init__(self, places: GuildRepository) -> None:
        self._places = places
        self._settings: dict[int, ChannelSettings] = {}

    async def open(self) -> None:
        """Read the settings, or read them again; they stay as they are if the store cannot be read."""
        with suppress(StoreError):  # logged, and in the store's health
            self._settings = dict(await self._places.channels())

    async def run(self) -> None:
        """Read them again whenever an operator has removed something, until cancelled."""
        guard = Guard(structlog.get_logger("discordianai.conversations"), "bug in the channel settings")
        while True:
            with guard:
                await self._places.changed_elsewhere()
                await self.open()
            if guard.failed:
                await trio.sleep(AFTER_A_BUG)

    def of(self, place: Place) -> ChannelSettings:
        """The settings of a channel. A thread without any has those of its channel."""
        own = self._settings.get(place.channel_id)
        if own is None and place.parent_id is not None:
            own = self._settings.get(place.parent_id)
        return own or ChannelSettings()

    async def set(self, place: Place, person_id: int, settings: ChannelSettings) -> None:
        """Set them for that channel alone. Raises `StoreError`, and changes nothing then."""
        await self._places.set_channel(place.channel_id, place.guild_id, person_id, settings)
        self._settings[place.channel_id] = settings
        if not settings:
            del self._settings[place.channel_id]


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
        self._log = structlog.get_logger("discordianai.conversations.guilds")
        self._news, self._heard = trio.open_memory_channel[tuple[frozenset[int], bool]](100)

    def note(self, guild_ids: frozenset[int], *, complete: bool) -> None:
        """The bot is in these servers now. It has left the others only if the list is `complete`."""
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
