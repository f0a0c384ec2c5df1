"""Of all that Discord says about servers, the library's own caches keep nothing."""

from collections.abc import Sized

import pytest
import trio
from interactions import Intents
from interactions.api.events import RawGatewayEvent
from interactions.api.http.route import Route
from interactions.models.internal.listener import Listener

from discordianai.discord.gateway.listener import GatewayOnlyClient
from discordianai.sandbox.discord import DiscordOptions, open_local_discord
from tests.asyncio_loop import run_asyncio

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

SERVERS = 20


async def test_the_library_keeps_no_server_and_no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are heard by whoever has asked for the event, and only the bot and its owner are kept."""
    heard: list[str] = []
    everything = trio.Event()
    kept: dict[str, int] = {}

    async def main() -> None:
        client = GatewayOnlyClient(intents=Intents.GUILDS, sync_interactions=False)

        async def note(event: RawGatewayEvent) -> None:
            heard.append(event.data["id"])
            if len(heard) > SERVERS:
                caches = ((name, getattr(client.cache, name)) for name in dir(client.cache))
                kept.update(
                    {
                        name: len(cache)
                        for name, cache in caches
                        if name[0] != "_" and isinstance(cache, Sized)
                    }
                )
                trio.from_thread.run_sync(everything.set)

        client.add_listener(Listener.create("raw_guild_create")(note))
        try:
            await client.astart("sandbox-token")
        finally:
            await client.stop()

    async with open_local_discord(DiscordOptions(more_guilds=SERVERS)) as discord:
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_asyncio, main)
            with trio.fail_after(20):
                await everything.wait()
            nursery.cancel_scope.cancel()
    assert len(set(heard)) == SERVERS + 1
    assert kept.pop("user_cache") == 2
    assert {"guild_cache", "channel_cache", "role_cache"} <= kept.keys()
    assert not any(kept.values()), kept
