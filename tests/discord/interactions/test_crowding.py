"""One person floods the bot; what ten others want is done all the same, and what is not done is told.

From the event to Discord and back: the library's client, the bridge, the runner and a real store, on the
local Discord with its rate limits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import httpx
import pytest
import trio
from interactions.api.http.route import Route

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.export import NOTHING
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.gateway.http_client import ListenerHTTPClient
from discordianai.discord.interactions import backend as backends
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.command_runner import TOO_MUCH
from discordianai.discord.interactions.handler import InteractionHandler
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.messages.posting import ChannelMessages
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.option import Live
from discordianai.sandbox.discord import (
    CHANNELS,
    Interaction,
    LocalDiscord,
    open_local_discord,
    person,
    sandbox_interaction,
)
from discordianai.sandbox.discord.api_objects import BOT_ID
from tests.asyncio_loop import run_asyncio
from tests.discord.commands.builders import OFFER, open_services
from tests.discord.interactions.backend_scene import opened

DECLARED = [
    {"name": "export", "description": "Get what I have stored"},
    {"name": "slow", "description": "Takes its time"},
]
FLOODER, NEIGHBOURS = person(1), [person(number) for number in range(2, 12)]
HERE = CHANNELS[0]


async def slow(_invocation: Invocation, _services: object) -> CommandReply:
    await trio.sleep(1.0)
    return CommandReply("done")


SLOW = HandledCommand(name="slow", description="Takes its time", handle=slow)


@dataclass
class Scene:
    discord: LocalDiscord
    api: DiscordApi
    figures: DiscordCounter
    handler: Callable[[Callable[[InteractionHandler], Awaitable[object]]], Awaitable[None]]
    """Runs a function with the handler, on the listener's loop."""

    def uses(self, command: str, user: int) -> Interaction:
        return self.discord.invoke_now(command, user=person(user))

    def mention(self, number: int) -> dict[str, object]:
        """A question of the flooding person, in the channel of all."""
        return {
            "id": str(number),
            "type": 0,
            "channel_id": str(HERE.id),
            "guild_id": str(HERE.guild_id),
            "author": FLOODER.json(),
            "member": {"roles": []},
            "content": f"<@{BOT_ID}> why?",
            "mentions": [{"id": str(BOT_ID)}],
        }


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Its bot takes no questions, so that each mention is refused. Five commands of a person may wait."""
    monkeypatch.setattr(backends, "COMMANDS", replace(backends.COMMANDS, waiting_each=5))
    # A busy machine takes longer than three seconds to send 310 acknowledgements.
    monkeypatch.setattr(sandbox_interaction, "ACKNOWLEDGE_WITHIN", 60.0)
    figures, limits = DiscordCounter(), ApplicationLimits()
    async with (
        open_local_discord() as discord,
        httpx.AsyncClient(timeout=60) as client,
        open_services(tmp_path) as (services, _),
    ):
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=DECLARED, headers={"Authorization": f"Bot {discord.options.token}"})
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        api = DiscordApi(client, discord.api_url, discord.options.token, limits=limits)
        async with opened(api=api, services=services, figures=figures) as trio_side:
            trio_side.open_questions.close()
            user, server = Live(UserRateOptions()), Live(ServerRateOptions())
            admission = Admission(OFFER, user, server, trio_side.open_questions, count(1))
            offered = OfferedCommands((*COMMANDS, SLOW), OFFER)
            router = InteractionRouter(Live(BotOptions()), offered, GuildCache())

            async def with_handler(use: Callable[[InteractionHandler], Awaitable[object]]) -> None:
                async def main() -> None:
                    http = ListenerHTTPClient(limits, logger=logging.getLogger("interactions"))
                    await http.login(discord.options.token)
                    try:
                        await use(InteractionHandler(http, router, admission, trio_side.backend, figures))
                    finally:
                        await http.close()

                with trio.fail_after(120):
                    await run_asyncio(main)

            yield Scene(discord, api, figures, with_handler)


async def done(*interactions: Interaction, within: float = 60.0) -> None:
    """Wait until Discord shows an answer to each."""
    with trio.fail_after(within):
        while any(interaction.loading for interaction in interactions):  # noqa: ASYNC110  # they tell nobody
            await trio.sleep(0.05)


async def test_a_flood_of_one_person_keeps_nothing_from_ten_others(scene: Scene) -> None:
    """500 mentions that are refused and 300 commands, then the others' `/export`; and somebody's answer is
    written in the same channel, which takes five messages in five seconds."""
    flood = [scene.uses("export", 1) for _ in range(300)]
    wanted = [scene.uses("export", number) for number in range(2, 12)]
    first_words: list[float] = []

    async def answer() -> None:
        begun = trio.current_time()
        body = {"content": "Because", "allowed_mentions": {"parse": []}}
        await ChannelMessages(scene.api, HERE.id).edit(None, body)
        first_words.append(trio.current_time() - begun)

    async def use(handler: InteractionHandler) -> None:
        await asyncio.gather(*(handler.message(scene.mention(number), BOT_ID) for number in range(1, 501)))
        await asyncio.gather(*(handler.interaction(each.payload) for each in (*flood, *wanted)))

    await scene.handler(use)
    await answer()
    await done(*flood, *wanted)
    assert [each.text for each in wanted] == [NOTHING] * 10
    assert all(each.acknowledged_after is not None for each in wanted)
    assert first_words[0] < 2.5
    assert len(scene.discord.channel_messages) == 2  # one refusal, one answer
    assert scene.figures.now().refusals_unsaid == 499
    assert scene.discord.counters.rate_limited == 0


@pytest.mark.slow
async def test_a_command_that_is_not_run_is_told_and_is_nobody_elses(
    scene: Scene,
) -> None:
    """Its person would see the bot think for ever."""
    used = [scene.uses("slow", 1) for _ in range(15)]
    neighbour = scene.uses("export", 2)

    async def use(handler: InteractionHandler) -> None:
        for each in (*used, neighbour):
            await handler.interaction(each.payload)

    await scene.handler(use)
    await done(*used, neighbour)
    assert neighbour.text == NOTHING
    texts = [each.text for each in used]
    assert texts.count("done") == 7
    assert texts.count(f"-# {TOO_MUCH}") == 8
    assert scene.figures.now().commands_dropped == 8
