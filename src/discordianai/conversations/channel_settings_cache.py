"""What was set for each channel, in memory: every question asks for it."""

from contextlib import suppress

import structlog
import trio

from discordianai.conversations.channel_settings import ChannelSettings, GuildRepository
from discordianai.conversations.store import StoreError
from discordianai.guard import Guard
from discordianai.records import Place

AFTER_A_BUG = 1.0
"""Seconds."""


class ChannelSettingsCache:
    """Read once at the start; written through. Few channels have anything set."""

    def __init__(self, places: GuildRepository) -> None:
        self._places = places
        self._settings: dict[int, ChannelSettings] = {}

    async def open(self) -> None:
        """Read what is there, or read it again; what the store cannot tell stays as it was."""
        with suppress(StoreError):  # the store's health tells
            self._settings = dict(await self._places.channels())

    async def run(self) -> None:
        """Follow what an operator removes, until cancelled."""
        guard = Guard(structlog.get_logger("discordianai.conversations"), "a bug in what is set for channels")
        while True:
            with guard:
                await self._places.changed_elsewhere()
                await self.open()
            if guard.failed:
                await trio.sleep(AFTER_A_BUG)

    def of(self, place: Place) -> ChannelSettings:
        """What holds at a place: a thread goes by its channel, where nothing is set for itself."""
        own = self._settings.get(place.channel_id)
        if own is None and place.parent_id is not None:
            own = self._settings.get(place.parent_id)
        return own or ChannelSettings()

    async def set(self, place: Place, person_id: int, settings: ChannelSettings) -> None:
        """Set it for that channel alone. Raises `StoreError`, and leaves it as it was then."""
        await self._places.set_channel(place.channel_id, place.guild_id, person_id, settings)
        self._settings[place.channel_id] = settings
        if not settings:
            del self._settings[place.channel_id]
