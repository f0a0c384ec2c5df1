"""discord.py takes the sandbox for Discord: it logs in, registers a command, and answers an interaction."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import yarl
from discord.http import Route

import discord
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discordianai.discord.gateway.bridge import run_asyncio
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    LocalDiscord,
    direct_messages,
    open_local_discord,
    person,
)


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give discord.py its own addresses back after each test."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)


class Bot(discord.Client):
    """Answers /ask after thinking, with a follow-up."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        self.resumed = threading.Event()

        @self.tree.command(name="ask", description="Ask it")
        async def ask(interaction: discord.Interaction, prompt: str, private: bool = False) -> None:
            await interaction.response.defer(ephemeral=private, thinking=True)
            await interaction.edit_original_response(content=f"You asked {prompt}")
            await interaction.followup.send("and more", ephemeral=private)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_resumed(self) -> None:
        self.resumed.set()


@asynccontextmanager
async def running(local: LocalDiscord) -> AsyncIterator[Bot]:
    """discord.py in a thread of its own, led here by the two constants in which it keeps its addresses."""
    Route.BASE = local.api_url
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(local.gateway_url)
    bots: list[Bot] = []

    async def main() -> None:
        async with Bot() as bot:
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
