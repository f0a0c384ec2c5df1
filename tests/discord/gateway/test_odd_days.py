"""The gateway's odd days, each as a script: the real listener against the sandbox, over real sockets."""

import time

import pytest
import trio
from structlog.testing import capture_logs

from discordianai.conversations.guild_retention import GuildList
from discordianai.discord.gateway import identifies, session
from discordianai.sandbox.discord import DiscordOptions, open_local_discord, person
from discordianai.sandbox.discord.api_objects import CHANNELS, GUILD_ID, SUPPORT
from tests.discord.gateway.running_listener import listening

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

GAP = 0.5
"""Seconds between two IDENTIFYs here, instead of five."""

HOURS = 3 * 3600.0
MESSAGE_CONTENT = 1 << 15
ALLOW_ALL = DiscordOptions(allowed_intents=-1, identify_interval=GAP - 0.2)
QUICK_HEARTBEAT = DiscordOptions(heartbeat_interval=1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the seconds."""
    monkeypatch.setattr(identifies, "LEAST_GAP", GAP)
    monkeypatch.setattr(identifies, "INVALID_SESSION_PAUSE", (0.1, 0.2))
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(session, "RESUME_GAP", 0.05)


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
        assert {told.guild_ids for told in bot.backend.guilds} == {frozenset({GUILD_ID})}


async def test_a_ready_without_servers_makes_nobody_believe_that_they_were_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands work, the bot counts as started, health mentions it; only after an hour the list counts."""
    monkeypatch.setattr("discordianai.discord.gateway.listener.UNLISTED_FOR", 2.0)
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.names_guild = discord.sends_guild = False
        async with listening(discord) as bot:
            await bot.handed_over([await discord.invoke("ask", {"prompt": "why?"})])
            assert bot.backend.guilds == [GuildList(frozenset(), frozenset())]
            assert bot.health(110).remarks == ()
            assert bot.health(130).remarks == ("Discord has named no server that the bot is in",)
            discord.send_guild()
            await bot.until(lambda: GuildList(frozenset({GUILD_ID}), frozenset()) in bot.backend.guilds)
            await bot.until(lambda: GuildList(frozenset({GUILD_ID}), frozenset({0})) in bot.backend.guilds)


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


@pytest.mark.slow
async def test_a_connection_on_which_events_come_is_not_given_up_for_late_acknowledgements() -> None:
    """They wait behind events that were missed: to resume would have Discord send all of these again."""
    async with open_local_discord(QUICK_HEARTBEAT) as discord, listening(discord) as bot:
        asked = [await discord.invoke("ask", {"prompt": "first"}, user=person(99))]
        discord.acknowledges_heartbeats = False
        for number in range(20):
            asked.append(discord.invoke_now("ask", {"prompt": "why?"}, user=person(number)))
            await trio.sleep(0.2)
        await bot.handed_over(asked)
        assert discord.counters.resume_times == []


async def test_events_of_channels_that_cannot_be_read_are_logged_once_for_each_kind() -> None:
    """There may be thousands, and none has a traceback."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await bot.connected()
        with capture_logs() as logs:
            nonsense: tuple[object, ...] = ("x", None, -1, [], {"id": 1})
            for odd in nonsense:
                for name in ("CHANNEL_UPDATE", "THREAD_DELETE", "GUILD_ROLE_CREATE", "GUILD_MEMBERS_CHUNK"):
                    discord.dispatch(name, {"id": odd, "guild_id": str(GUILD_ID), "role": odd})
            await bot.handed_over([await discord.invoke("ask", {"prompt": "well?"})])
        told = [log for log in logs if log["log_level"] not in {"debug", "info"}]
        assert {log["event"] for log in told} == {"an event of the gateway could not be read"}
        assert sorted(log["name"] for log in told) == ["CHANNEL_UPDATE", "GUILD_ROLE_CREATE", "THREAD_DELETE"]


async def test_a_session_is_resumed_at_its_own_gateway_whatever_ready_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The token goes nowhere else, and nothing that was asked meanwhile is lost."""
    async with open_local_discord(ALLOW_ALL) as discord:
        monkeypatch.setattr(discord, "shard_url", lambda *_: "wss://gateway.example")
        async with listening(discord) as bot:
            await discord.invoke("ask", {"prompt": "first"}, user=person(99))
            discord.drop_gateway(resumable=True)
            await bot.handed_over([discord.invoke_now("ask", {"prompt": "why?"})])
            await bot.until(lambda: bot.figures.now().resumes == 1)
            assert len(discord.counters.identify_times) == 1


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4015])
async def test_questions_that_come_after_an_unexpected_close_are_not_lost(code: int) -> None:
    """Discord sends them again to a session that is resumed, and not to another one."""
    async with open_local_discord(ALLOW_ALL) as discord, listening(discord) as bot:
        await discord.invoke("ask", {"prompt": "first"}, user=person(99))
        discord.drop_gateway(resumable=True, code=code)
        await bot.handed_over([discord.invoke_now("ask", {"prompt": "why?"})])
        assert bot.figures.reasons == [f"the connection was closed with {code}"]
        assert len(discord.counters.identify_times) == 1


@pytest.mark.parametrize("path", ["/users/@me", "/oauth2/applications/@me", "/gateway"])
async def test_an_error_at_the_login_is_told_with_its_number(path: str) -> None:
    """Not with the name of a class of the library's; and it is tried again at the pace."""
    async with open_local_discord(ALLOW_ALL) as discord:
        discord.fail_next(path, 403, times=2)
        async with listening(discord) as bot:
            await bot.until(lambda: bool(bot.figures.now().trouble))
            assert " was answered 403; " in bot.health().reasons[0]
            await bot.until(bot.is_connected)
            assert len(discord.counters.identify_times) == 1
