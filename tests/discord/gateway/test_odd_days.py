"""The gateway's odd days, each as a script: the real listener against the sandbox, over real sockets."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.answering.open_questions import OpenQuestions
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway import session, session_limit
from discordianai.discord.gateway.session_limit import ListenerRefused
from discordianai.discord.gateway.supervisor import GatewaySupervisor
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.operations.health import HealthVerdict, judge
from discordianai.operations.snapshot import ProcessStatistics, Snapshot
from discordianai.option import Live
from discordianai.sandbox.discord import DiscordOptions, Interaction, LocalDiscord, open_local_discord, person
from discordianai.sandbox.discord.api_objects import CHANNELS, GUILD_ID, SUPPORT
from tests.discord.commands.builders import OFFER
from tests.doubles.backend import FakeBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

GAP = 0.5
"""Seconds between two IDENTIFYs here, instead of five."""

HOURS = 3 * 3600.0
MESSAGE_CONTENT = 1 << 15
ALLOW_ALL = DiscordOptions(allowed_intents=-1, identify_interval=GAP - 0.2)
QUICK_HEARTBEAT = DiscordOptions(heartbeat_interval=1.0)


class RecordingCounter(DiscordCounter):
    """Keeps every reason for which there was no gateway: some are replaced within milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def note_wait(self, trouble: str, seconds: float) -> None:
        self.reasons.append(trouble)
        super().note_wait(trouble, seconds)


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

    async def until(self, condition: Callable[[], bool], within: float = 20.0) -> None:
        with trio.fail_after(within):
            while not condition():  # noqa: ASYNC110  # it changes on another thread
                await trio.sleep(0.02)

    def is_connected(self) -> bool:
        return self.figures.now().connected

    async def connected(self) -> None:
        """Wait until both sides know of the connection: Discord does a moment after READY has arrived."""
        await self.until(self.is_connected)
        with trio.fail_after(5):
            await self.discord.wait_connected()

    async def handed_over(self, asked: list[Interaction]) -> None:
        """Wait until each of these is."""
        ids = {interaction.id for interaction in asked}
        await self.until(
            lambda: ids <= {question.address.interaction_id for question in self.backend.handed_over}
        )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the seconds."""
    monkeypatch.setattr(session_limit, "LEAST_GAP", GAP)
    monkeypatch.setattr(session_limit, "INVALID_SESSION_PAUSE", (0.1, 0.2))
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(session, "RESUME_GAP", 0.05)


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
        supervisor = GatewaySupervisor(Live(made), offered, admission, api, running.figures)

        async def run() -> None:
            try:
                await supervisor.run(running.backend)
            except ListenerRefused as refused:
                running.refusal = str(refused)
            running.ended.set()

        nursery.start_soon(run)
        yield running
        nursery.cancel_scope.cancel()


async def test_a_withdrawn_intent_ends_the_bot_with_what_to_grant() -> None:
    """4003 in the middle of a session, then 4014: one more IDENTIFY, and no third."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord, respond_to="mentions") as bot:
        await bot.connected()
        discord.withdraw_intents(MESSAGE_CONTENT)
        with trio.fail_after(20):
            await bot.ended.wait()
        assert "switch on Message Content Intent" in bot.refusal
        assert len(discord.counters.identify_times) == 2
        assert discord.counters.resume_times == []


@pytest.mark.parametrize("code", [4003, 4009])
async def test_a_session_that_discord_has_dropped_is_followed_by_another_at_the_pace(code: int) -> None:
    """No RESUME is tried, which Discord would only refuse; health says what happened."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await bot.connected()
        discord.drop_gateway(resumable=False, code=code)
        await bot.until(lambda: bot.is_connected() and len(discord.counters.identify_times) == 2)
        assert bot.figures.reasons == [f"the connection was closed with {code}"]
        first, second = discord.counters.identify_times
        assert second - first >= GAP - 0.1
        assert discord.counters.resume_times == []


@pytest.mark.parametrize("page", [False, True])
async def test_no_identify_while_discord_wants_to_be_asked_again_in_hours(page: bool) -> None:
    """Whether Discord or Cloudflare says so: one question, and health says until when."""
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.ban(HOURS) if page else discord.limit_rate("/gateway/bot", HOURS)
        async with listening(discord) as bot:
            await bot.until(lambda: bool(bot.figures.now().trouble))
            await trio.sleep(4 * GAP)
            now = bot.figures.now()
            assert now.next_try - time.time() == pytest.approx(HOURS, abs=10)
            until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now.next_try))
            assert f"GET /gateway/bot was answered 429; the next try is at {until}" in bot.health().reasons[0]
            assert len(discord.counters.gateway_questions) == 1
            assert discord.counters.identify_times == []


async def test_a_running_session_needs_no_rest_to_go_on() -> None:
    """Nobody asks for the gateway's limit while it lasts, and a RESUME costs no request."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await bot.connected()
        for path in ("/gateway", "/gateway/bot", "/users/@me"):
            discord.limit_rate(path, HOURS)
        discord.drop_gateway(resumable=True)
        await bot.until(lambda: bot.figures.now().resumes == 1)
        assert bot.is_connected()
        assert len(discord.counters.gateway_questions) == 1


@pytest.mark.parametrize("path", ["/users/@me", "/gateway"])
async def test_hours_at_the_login_are_not_waited_for_in_silence(path: str) -> None:
    """The library would sleep for them, in the middle of a request, with nothing in health."""
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.limit_rate(path, HOURS)
        async with listening(discord) as bot:
            await bot.until(lambda: bool(bot.figures.now().trouble))
            assert f"GET {path} was answered 429; the next try is at" in bot.health().reasons[0]
            assert bot.figures.now().next_try - time.time() == pytest.approx(HOURS, abs=10)
            assert discord.counters.identify_times == []


async def test_commands_work_in_a_server_that_discord_never_sends() -> None:
    """By what the event says of its channel; blocked categories hold. Health mentions it later on."""
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.sends_guild = False
        async with listening(discord, blocked_channel_ids=(SUPPORT.id,)) as bot:
            general, in_support = CHANNELS[0], CHANNELS[1]
            asked = await discord.invoke("ask", {"prompt": "why?"}, user=person(1), channel=general)
            refused = await discord.invoke("ask", {"prompt": "why?"}, user=person(2), channel=in_support)
            await bot.handed_over([asked])
            await refused.wait_until(lambda i: "I don't answer in this channel" in i.text)
            assert len(bot.backend.handed_over) == 1
            assert bot.health(110).remarks == ()
            (remark,) = bot.health(130).remarks
            assert remark.startswith("Discord has not sent 1 of 1 server for 3 minutes: commands work")
            discord.send_guild()
            await bot.until(lambda: bot.figures.now().servers_missing == 0)
            assert bot.health(1000).remarks == ()


async def test_a_server_that_becomes_unavailable_is_mentioned_until_it_is_back() -> None:
    """It stays one of the bot's servers."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await bot.until(lambda: bot.figures.now().servers == 1 and not bot.figures.now().servers_missing)
        discord.dispatch("GUILD_DELETE", {"id": str(GUILD_ID), "unavailable": True})
        await bot.until(lambda: bot.figures.now().servers_missing == 1)
        assert "Discord has not sent 1 of 1 server " in bot.health(200).remarks[0]
        discord.send_guild()
        await bot.until(lambda: bot.figures.now().servers_missing == 0)
        assert {guild_ids for guild_ids, _ in bot.backend.guilds} == {frozenset({GUILD_ID})}


async def test_a_ready_without_servers_makes_nobody_believe_that_they_were_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands work, the bot counts as started, health mentions it; only after an hour the list counts."""
    monkeypatch.setattr("discordianai.discord.gateway.listener.UNLISTED_FOR", 2.0)
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.names_guild = discord.sends_guild = False
        async with listening(discord) as bot:
            await bot.handed_over([await discord.invoke("ask", {"prompt": "why?"})])
            assert bot.backend.guilds == [(frozenset(), False)]
            assert bot.health(110).remarks == ()
            assert bot.health(130).remarks == ("Discord has named no server that the bot is in",)
            discord.send_guild()
            await bot.until(lambda: (frozenset({GUILD_ID}), False) in bot.backend.guilds)
            await bot.until(lambda: (frozenset({GUILD_ID}), True) in bot.backend.guilds)


async def test_questions_asked_on_a_zombie_connection_arrive_after_the_resume() -> None:
    """It is open and silent; two heartbeats later the session goes on over another one."""
    async with open_local_discord(QUICK_HEARTBEAT) as discord, listening(discord) as bot:
        await bot.connected()
        before = [await discord.invoke("ask", {"prompt": "before"}, user=person(n)) for n in range(5)]
        discord.freeze_gateway()
        during = [discord.invoke_now("ask", {"prompt": "now"}, user=person(n)) for n in range(5, 10)]
        await bot.handed_over([*before, *during])
        assert len(discord.counters.identify_times) == 1
        assert len(bot.backend.handed_over) == 10


async def test_no_question_of_a_burst_is_lost_by_op_7() -> None:
    """Those that were on their way come with the RESUME, without a new session."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await discord.invoke("ask", {"prompt": "first"}, user=person(99))
        asked = []
        for number in range(60):
            asked.append(discord.invoke_now("ask", {"prompt": "why?"}, user=person(number)))
            if number % 20 == 10:
                discord.ask_to_reconnect()
                await trio.sleep(0.05)
        await bot.handed_over(asked)
        assert len(discord.counters.identify_times) == 1
        assert 1 <= len(discord.counters.resume_times) <= 6
