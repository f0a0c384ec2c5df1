"""The gateway's supervisor without the rest of the bot, against the sandbox over real sockets."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import httpx
import trio
from pydantic import SecretStr

from discordianai.answering.open_questions import OpenQuestions
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway.listener import GatewayParts
from discordianai.discord.gateway.session_limit import ListenerRefused
from discordianai.discord.gateway.supervisor import GatewaySupervisor
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.discord.shard_statistics import ShardCounter
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.operations.health import HealthVerdict, judge
from discordianai.operations.snapshot import ProcessStatistics, Snapshot
from discordianai.option import Live
from discordianai.sandbox.discord import Interaction, LocalDiscord
from tests.discord.commands.builders import OFFER
from tests.doubles.backend import FakeBackend


class RecordingShard(ShardCounter):
    """Keeps every reason for which there was no gateway: some are replaced within milliseconds."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__()
        self._reasons = reasons

    def note_wait(self, trouble: str, seconds: float) -> None:
        self._reasons.append(trouble)
        super().note_wait(trouble, seconds)


class RecordingCounter(DiscordCounter):
    """Those of all shards."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        super().__init__(make_shard_counter=lambda: RecordingShard(self.reasons))


@dataclass
class RunningListener:
    """The listener, without the rest of the bot."""

    discord: LocalDiscord
    backend: FakeBackend
    figures: RecordingCounter
    ended: trio.Event
    refusal: str = ""

    def health(self, later: float = 0.0) -> HealthVerdict:
        """What health would say in `later` seconds, if all stays as it is."""
        process = ProcessStatistics("0", 0.0, time.time() + later)
        return judge(Snapshot(process, discord=self.figures.now()))

    def tells(self, words: str) -> bool:
        """Whether health has a reason with these words."""
        return any(words in reason for reason in self.health().reasons)

    async def until(self, condition: Callable[[], bool], within: float = 20.0) -> None:
        with trio.fail_after(within):
            while not condition():  # noqa: ASYNC110  # it changes on another thread
                await trio.sleep(0.02)

    def is_connected(self) -> bool:
        return self.figures.now().connected

    async def connected(self, shards: int = 1) -> None:
        """Wait until both sides know of the connections: Discord does a moment after READY has arrived."""
        await self.until(self.is_connected)
        with trio.fail_after(60):
            await self.discord.wait_shards(shards)

    async def handed_over(self, asked: list[Interaction]) -> None:
        """Wait until each of these is."""
        ids = {interaction.id for interaction in asked}
        await self.until(
            lambda: ids <= {question.address.interaction_id for question in self.backend.handed_over}
        )


@asynccontextmanager
async def listening(discord: LocalDiscord, **changes: object) -> AsyncIterator[RunningListener]:
    """Run the listener while the block runs; `changes` are of the settings' table `[discord]`."""
    made = BotOptions(token=SecretStr("sandbox-token"), api_url=discord.api_url, **changes)  # type: ignore[arg-type]  # by name
    user, server = Live(UserRateOptions(in_flight=100)), Live(ServerRateOptions())
    open_questions = OpenQuestions(1000, user, trio.lowlevel.current_trio_token())
    running = RunningListener(discord, FakeBackend(), RecordingCounter(), trio.Event())
    async with httpx.AsyncClient(timeout=60) as client, trio.open_nursery() as nursery:
        api = DiscordApi(client, discord.api_url, "sandbox-token")
        offered = OfferedCommands(COMMANDS, OFFER)
        admission = Admission(OFFER, user, server, open_questions, count(1))
        parts = GatewayParts(Live(made), offered, admission, api, running.figures)
        supervisor = GatewaySupervisor(parts)

        async def run() -> None:
            try:
                await supervisor.run(running.backend)
            except ListenerRefused as refused:
                running.refusal = str(refused)
            running.ended.set()

        nursery.start_soon(run)
        yield running
        nursery.cancel_scope.cancel()
