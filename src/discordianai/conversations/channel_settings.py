"""The settings of channels in memory: every question asks for those of its channel."""

from contextlib import suppress

import structlog
import trio

from discordianai.conversations.store import ChannelSettings, GuildRepository, StoreError
from discordianai.guard import Guard
from discordianai.records import Place

AFTER_A_BUG = 1.0
"""Seconds."""


class ChannelSettingsCache:
    """Read at the start; written through. Few channels have any settings."""

    def __init__(self, places: GuildRepository) -> None:
        self._places = places
        self._settings: dict[int, ChannelSettings] = {}
        self._changes = 0

    async def open(self) -> None:
        """Read the settings, or read them again; they stay as they are if the store cannot be read."""
        changes = -1
        with suppress(StoreError):  # logged, and in the store's health
            while changes != self._changes:  # what was set during a read may not be in it
                changes = self._changes
                settings = dict(await self._places.channels())
            self._settings = settings

    async def run(self) -> None:
        """Read them again whenever an operator has removed something, until cancelled."""
        log = structlog.get_logger("discordianai.conversations.channel_settings")
        guard = Guard(log, "bug in the channel settings")
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
        self._changes += 1
        self._settings[place.channel_id] = settings
        if not settings:
            del self._settings[place.channel_id]
