"""The settings of channels in memory are those of the store."""

import trio

from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.store import ChannelSettings
from discordianai.records import Place
from tests.doubles.store import MemoryStore


async def test_what_is_set_while_the_settings_are_read_again_stays() -> None:
    """The read began before; a question in between must not be asked with the former instructions."""

    class Slow(MemoryStore):
        async def channels(self) -> dict[int, ChannelSettings]:
            found = dict(await super().channels())
            reading.set()
            await go_on.wait()
            return found

    reading, go_on = trio.Event(), trio.Event()
    cache, pirate = ChannelSettingsCache(Slow()), ChannelSettings("Be a pirate.")
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cache.open)
            await reading.wait()
            await cache.set(Place(1, 7), 10, pirate)
            go_on.set()
    assert cache.of(Place(1, 7)) == pirate
