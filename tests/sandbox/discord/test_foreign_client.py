"""discord.py takes the sandbox for Discord: it logs in, registers a command, and answers an interaction."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import yarl
from discord.http import Route

import discord
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    LocalDiscord,
    direct_messages,
    open_local_discord,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT_ROLE_ID
from discordianai.sandbox.discord.message_parts import (
    embed,
    forwarding,
    poll,
    sticker,
    text_components,
    written,
)
from discordianai.sandbox.discord.user_actions import say
from tests.asyncio_loop import run_asyncio


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give discord.py its own addresses back after each test."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)


class Bot(discord.Client):
    """Answers /ask after thinking, with a follow-up."""

    def __init__(self, *, reads_messages: bool = False) -> None:
        super().__init__(
            intents=discord.Intents(
                guilds=True, guild_messages=reads_messages, message_content=reads_messages
            )
        )
        self.heard: queue.SimpleQueue[discord.Message] = queue.SimpleQueue()
        self.tree = app_commands.CommandTree(self)
        self.resumed = threading.Event()

        @self.tree.command(name="ask", description="Ask it")
        async def ask(interaction: discord.Interaction, prompt: str, private: bool = False) -> None:
            await interaction.response.defer(ephemeral=private, thinking=True)
            await interaction.edit_original_response(content=f"You asked {prompt}")
            await interaction.followup.send("and more", ephemeral=private)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        self.heard.put(message)

    async def on_resumed(self) -> None:
        self.resumed.set()


@asynccontextmanager
async def running(local: LocalDiscord, *, reads_messages: bool = False) -> AsyncIterator[Bot]:
    """discord.py in a thread of its own, led here by the two constants in which it keeps its addresses."""
    Route.BASE = local.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway_url)
    bots: list[Bot] = []

    async def main() -> None:
        async with Bot(reads_messages=reads_messages) as bot:
            bots.append(bot)
            await bot.start(local.options.token)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_asyncio, main)
        with trio.fail_after(10):
            await local.wait_ready()
        yield bots[0]
        nursery.cancel_scope.cancel()


async def test_it_logs_in_registers_a_command_and_answers() -> None:
    async with open_local_discord() as local, running(local):
        for channel in (CHANNELS[0], direct_messages(person())):
            options: dict[str, object] = {"prompt": "why?", "private": True}
            interaction = await local.invoke("ask", options, channel=channel)
            await interaction.wait_until(lambda i: len(i.messages) == 2)
            assert interaction.text == "You asked why?\nand more"
            assert interaction.private
            assert interaction.acknowledged_after is not None
    assert local.counters.refused == []


async def test_it_resumes_and_gets_what_it_missed() -> None:
    async with open_local_discord() as local, running(local) as bot:
        local.drop_gateway(resumable=True)
        interaction = local.invoke_now("ask", {"prompt": "are you there?"})
        await interaction.wait_until(lambda i: len(i.messages) == 2, timeout=20)
        assert await trio.to_thread.run_sync(bot.resumed.wait, 5)
        assert (local.counters.identifies, local.counters.resumes) == (1, 1)


async def test_no_event_falls_between_those_that_were_missed_and_the_new_ones() -> None:
    async with open_local_discord() as local, running(local) as bot:
        local.drop_gateway(resumable=True)
        asked = [local.invoke_now("ask", {"prompt": "first?"})]
        with trio.fail_after(20):
            while not bot.resumed.is_set():
                asked.append(local.invoke_now("ask", {"prompt": "and this?"}))
                await trio.sleep(0.001)
        for interaction in asked:
            await interaction.wait_until(lambda i: i.response_type is not None, timeout=20)


async def test_what_messages_have_beside_their_text_is_what_it_knows() -> None:
    """A message that is replied to, with all its parts, a forward of it, and the bot's own role."""
    options = DiscordOptions(allowed_intents=-1)
    async with open_local_discord(options) as local, running(local, reads_messages=True) as bot:
        parts = embed("Llamas", "They spit.") | poll("Do they?", {"yes": 2, "no": 0}) | sticker("Wave")
        theirs = written(local, "look", user=person(5), **parts)
        say(local, f"<@&{BOT_ROLE_ID}> what is that?", reply_to=theirs)
        said = await trio.to_thread.run_sync(partial(bot.heard.get, timeout=10))
        say(local, "", **forwarding(written(local, "", **text_components("# Hours"))))
        forward = await trio.to_thread.run_sync(partial(bot.heard.get, timeout=10))
    assert said.reference is not None
    replied_to = said.reference.resolved
    assert isinstance(replied_to, discord.Message)
    assert (replied_to.content, replied_to.author.display_name) == ("look", "Person5")
    assert [shown.description for shown in replied_to.embeds] == ["They spit."]
    assert replied_to.poll is not None
    assert [(each.text, each.vote_count) for each in replied_to.poll.answers] == [("yes", 2), ("no", 0)]
    assert [each.name for each in replied_to.stickers] == ["Wave"]
    (role,) = said.role_mentions
    assert role.is_bot_managed()
    assert forward.reference is not None
    assert forward.reference.type is discord.MessageReferenceType.forward
    (snapshot,) = forward.message_snapshots
    (container,) = snapshot.components
    assert isinstance(container, discord.components.Container)
    (display,) = container.children
    assert isinstance(display, discord.components.TextDisplay)
    assert display.content == "# Hours"


@pytest.mark.slow
async def test_it_starts_as_many_shards_as_are_recommended() -> None:
    """discord.py reads `/gateway/bot`, identifies each bucket at its pace, and counts each shard's guilds."""
    options = DiscordOptions(recommended_shards=4, max_concurrency=4, more_guilds=8)
    async with open_local_discord(options) as local:
        Route.BASE = local.api_url
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway_url)
        bots: list[discord.AutoShardedClient] = []
        ready = threading.Event()

        async def main() -> None:
            async with discord.AutoShardedClient(intents=discord.Intents(guilds=True)) as bot:
                bots.append(bot)

                @bot.event
                async def on_ready() -> None:
                    ready.set()

                await bot.start(local.options.token)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_asyncio, main)
            assert await trio.to_thread.run_sync(ready.wait, 30)
            shards = sorted(bots[0].shards)
            guilds = [sum(guild.shard_id == shard for guild in bots[0].guilds) for shard in shards]
            named = {channel.name for guild in bots[0].guilds for channel in guild.text_channels}
            nursery.cancel_scope.cancel()
    assert (shards, guilds) == ([0, 1, 2, 3], [3, 2, 2, 2])
    assert len(named) > 8 * 5  # and it could read every guild
    assert sorted(identify.bucket for identify in local.start_limit.record) == shards


async def test_a_wrong_token_is_rejected() -> None:
    async with open_local_discord(DiscordOptions(token="another")) as local:
        Route.BASE = local.api_url

        async def main() -> str:
            async with Bot() as bot:
                try:
                    await bot.start("sandbox-token")
                except discord.LoginFailure as error:
                    return str(error)
            return "let in"

        with trio.fail_after(10):
            assert "Improper token" in str(await run_asyncio(main))


def test_nothing_is_left_running() -> None:
    """Each test's loop has ended with it."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
