"""Several shards in one process: what befalls one of them concerns no other.

The supervisor and the library's own clients, over real sockets, against the sandbox's gateway.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
import trio

from discordianai.conversations.guild_retention import GuildList
from discordianai.discord.gateway import identifies, listener, session
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, open_local_discord, person
from discordianai.sandbox.discord.api_objects import GUILD_ID
from discordianai.sandbox.discord.shard import SandboxShard
from tests.discord.gateway.running_listener import RunningListener, listening

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

GAP = 0.5
"""Seconds between two IDENTIFYs of a bucket here, instead of five."""

SPARE = 0.25
"""Seconds that the bot waits longer than that: on a busy machine, some take longer to arrive than others."""

HOME = (GUILD_ID >> 22) % 4
"""Of four shards the one to which the guild belongs."""

OTHER = (HOME + 1) % 4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the seconds."""
    monkeypatch.setattr(identifies, "LEAST_GAP", GAP + SPARE)
    monkeypatch.setattr(identifies, "INVALID_SESSION_PAUSE", (0.1, 0.2))
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(session, "RESUME_GAP", 0.05)


def options(concurrency: int = 4, **more: object) -> DiscordOptions:
    return DiscordOptions(
        allowed_intents=-1,
        identify_interval=GAP,
        heartbeat_interval=1.0,
        max_concurrency=concurrency,
        recommended_shards=4,
        **more,  # type: ignore[arg-type]  # by name
    )


def connected(bot: RunningListener) -> set[int]:
    """The shards that the figures have as connected."""
    return {number for number, shard in bot.figures.now().shards.items() if shard.connected}


async def ready(discord: LocalDiscord) -> None:
    """Commands are registered, and a shard is connected."""
    with trio.fail_after(20):
        await discord.wait_ready()


async def ask(discord: LocalDiscord, bot: RunningListener, number: int) -> None:
    """Somebody asks in the guild, and their question arrives."""
    await bot.handed_over([discord.invoke_now("ask", {"prompt": "why?"}, user=person(number))])


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_every_shard_begins_a_session_and_one_has_the_server(concurrency: int) -> None:
    """One question for the limit, one login, one registration, and IDENTIFYs apart within a bucket."""
    async with open_local_discord(options(concurrency)) as discord, listening(discord, shards=4) as bot:
        await bot.until(lambda: bot.is_connected() and bool(bot.backend.started))
        with trio.fail_after(5):
            await discord.wait_shards(4)
        assert len(discord.counters.gateway_questions) == 1
        await ready(discord)
        assert discord.counters.commands_written == 1
        assert bot.backend.started == 1
        for bucket in range(concurrency):
            times = [each.time for each in discord.start_limit.record if each.bucket == bucket]
            assert all(later - earlier >= GAP for earlier, later in pairwise(times))
        await bot.until(lambda: bot.backend.guilds[-1].complete == {HOME})
        assert bot.backend.guilds[-1].guild_ids == {GUILD_ID}
        await ask(discord, bot, 1)
        assert [shard.servers for shard in bot.figures.now().shards.values()].count(1) == 1
        assert bot.figures.now().servers == 1
        assert "shards" not in "".join(bot.health().reasons)


async def test_one_login_serves_all_shards() -> None:
    """The second one asks Discord neither who it is nor which application it belongs to."""
    async with open_local_discord(options(1)) as discord, listening(discord, shards=4) as bot:
        await bot.until(lambda: len(connected(bot)) == 1)
        for path in ("/users/@me", "/applications/@me"):
            discord.limit_rate(path, 3600.0)
        await bot.until(bot.is_connected)
        assert bot.figures.reasons == []


async def test_as_many_as_discord_recommends() -> None:
    """With "auto"; asked once, also for the limit."""
    async with open_local_discord(options()) as discord, listening(discord, shards="auto") as bot:
        await bot.until(lambda: connected(bot) == {0, 1, 2, 3})
        assert len(discord.counters.gateway_questions) == 1


@pytest.mark.slow
async def test_auto_waits_until_discord_says_how_many() -> None:
    """And says why meanwhile."""
    async with open_local_discord(options()) as discord:
        discord.fail_next("/gateway/bot", 502, times=2)
        async with listening(discord, shards="auto") as bot:
            await bot.until(lambda: bot.tells("GET /gateway/bot was answered 502"))
            await bot.until(lambda: connected(bot) == {0, 1, 2, 3})


@pytest.mark.parametrize(("shards", "run"), [("1-2/4", {1, 2}), ("3/4", {3})])
async def test_a_range_runs_those_shards_alone(shards: str, run: set[int]) -> None:
    """The bot is ready with them, and leaves the servers of the others to other processes."""
    async with open_local_discord(options()) as discord, listening(discord, shards=shards) as bot:
        await bot.until(lambda: bot.is_connected() and bool(bot.backend.started))
        assert connected(bot) == run
        shards_run = {SandboxShard(number, 4) for number in run}
        await bot.until(lambda: discord.connected_shards == shards_run)  # a moment after READY has arrived
        left = bot.backend.guilds[-1].left(frozenset(number << 22 for number in range(4)))
        assert left <= {number << 22 for number in run}


DROPS: dict[str, Callable[[LocalDiscord], object]] = {
    "dropped": lambda discord: discord.drop_gateway(resumable=False, shard=OTHER),
    "resumed": lambda discord: discord.drop_gateway(resumable=True, shard=OTHER),
    "op 7": lambda discord: discord.ask_to_reconnect(shard=OTHER),
    "op 9": lambda discord: discord.invalidate_sessions(shard=OTHER),
    "frozen": lambda discord: discord.freeze_gateway(shard=OTHER),
}


@pytest.mark.parametrize("drop", DROPS)
async def test_a_shard_that_is_lost_comes_back_and_the_others_notice_nothing(drop: str) -> None:
    """Their commands are acknowledged all the while, and no other shard identifies or resumes."""
    async with open_local_discord(options()) as discord, listening(discord, shards=4) as bot:
        await bot.connected(4)
        await ready(discord)
        DROPS[drop](discord)
        number = 0
        with trio.fail_after(20):
            while bot.figures.now().shards[OTHER].losses == 0 or not bot.is_connected():
                number += 1
                await ask(discord, bot, number)
        shards = bot.figures.now().shards
        assert [shards[each].losses for each in range(4) if each != OTHER] == [0, 0, 0]
        assert [shards[each].identifies for each in range(4) if each != OTHER] == [1, 1, 1]
        assert bot.figures.now().unacknowledged == {}


@pytest.mark.parametrize(
    "fault",
    [
        "open-refused",
        "identify-frozen",
        *(
            pytest.param(fault, marks=pytest.mark.slow)
            for fault in ("open-frozen", "identify-invalid", "identify-4008")
        ),
    ],
)
async def test_a_shard_that_cannot_begin_keeps_no_other_waiting(fault: str) -> None:
    """The start is over for systemd, health names the shard, and commands of the others work."""
    async with open_local_discord(options(1)) as discord:
        discord.break_gateway(fault, shard=OTHER)
        async with listening(discord, shards=4) as bot:
            await bot.until(lambda: connected(bot) == {0, 1, 2, 3} - {OTHER})
            await ready(discord)
            await ask(discord, bot, 1)
            if "frozen" not in fault:  # there the try takes a minute
                await bot.until(lambda: bot.backend.started == 1)
                await bot.until(lambda: bot.tells(f"3 of 4 shards are connected; not connected: {OTHER}"))
                await bot.until(lambda: bool(bot.figures.now().shards[OTHER].trouble))
            discord.heal_gateway()
            if "frozen" not in fault:
                await bot.until(bot.is_connected)
        buckets = [each.time for each in discord.start_limit.record]
        assert all(later - earlier >= GAP for earlier, later in pairwise(buckets))


@pytest.mark.parametrize(
    "code", [4010, *(pytest.param(code, marks=pytest.mark.slow) for code in (4011, 4014))]
)
async def test_a_shard_that_is_refused_for_good_stays_down_alone(code: int) -> None:
    """It is not tried again; health says what to do, and the others go on."""
    async with open_local_discord(options()) as discord, listening(discord, shards=4) as bot:
        await bot.connected(4)
        discord.break_gateway(f"identify-{code}", shard=OTHER)
        discord.drop_gateway(resumable=False, shard=OTHER)
        await bot.until(lambda: bot.tells("[discord]"))
        tries = len(discord.counters.identify_times)
        await trio.sleep(3 * GAP)
        assert len(discord.counters.identify_times) == tries == 5
        await ready(discord)
        await ask(discord, bot, 1)
        assert not bot.ended.is_set()
        if code == 4011:
            assert bot.tells('set shards = "auto" in [discord]')


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4014])
async def test_a_refusal_before_any_shard_is_connected_ends_the_bot(code: int) -> None:
    """With what to do; the other shards' IDENTIFYs are saved."""
    async with open_local_discord(options(1)) as discord:
        discord.break_gateway(f"identify-{code}")
        async with listening(discord, shards=4) as bot:
            with trio.fail_after(20):
                await bot.ended.wait()
            assert bot.refusal
            assert len(discord.counters.identify_times) == 1


async def test_a_bot_that_needs_shards_is_told_the_setting() -> None:
    """4011, with the one shard of the default."""
    async with (
        open_local_discord(options(sharding_required=True)) as discord,
        listening(discord) as bot,
    ):
        with trio.fail_after(20):
            await bot.ended.wait()
        assert bot.refusal.startswith('the bot is in too many servers for one shard: set shards = "auto"')
        assert len(discord.counters.identify_times) == 1


async def test_the_last_of_the_days_identifies_are_for_whichever_shard_comes_first() -> None:
    """Fifty are never used, however many shards there are."""
    async with (
        open_local_discord(options(identifies=1000, identifies_used=948)) as discord,
        listening(discord, shards=4) as bot,
    ):
        await bot.until(lambda: len(connected(bot)) == 2)
        await trio.sleep(2 * GAP)
        assert discord.start_limit.remaining == 50
        assert len(connected(bot)) == 2
        assert bot.tells("the day's identifies are used up")


async def test_a_bug_in_one_shard_is_begun_anew_and_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its code raises."""
    run, failed = listener.Listener.run, list[bool]()

    async def broken(self: listener.Listener) -> None:
        if self._shard.id == OTHER and not failed:
            failed.append(True)
            raise ZeroDivisionError
        await run(self)

    monkeypatch.setattr(listener.Listener, "run", broken)
    async with open_local_discord(options()) as discord, listening(discord, shards=4) as bot:
        await bot.connected(4)
        assert failed
        assert len(discord.counters.identify_times) == 4


async def test_guests_are_served_on_whichever_shard_they_come() -> None:
    """For people who use the bot as an app of their own nothing says on which one that is."""
    foreign = CHANNELS[0]
    async with open_local_discord(options()) as discord, listening(discord, shards=4) as bot:
        await bot.connected(4)
        await ready(discord)
        asked = [
            discord.invoke_now("ask", {"prompt": "why?"}, user=person(n), channel=foreign, guest=True)
            for n in range(8)
        ]
        await bot.handed_over(asked)


async def test_an_event_that_two_sessions_of_a_shard_hear_is_handled_once() -> None:
    """While another process still runs the shard, as in a restart; the other one is a second bot here."""
    async with open_local_discord(options()) as discord, listening(discord, shards=4) as bot:
        await bot.connected(4)
        await ready(discord)
        asked = discord.invoke_now("ask", {"prompt": "why?"}, user=person(1))
        discord.replay(asked)
        await bot.handed_over([asked])
        await bot.until(lambda: bot.figures.now().events_repeated == 1)
        assert len(bot.backend.handed_over) == 1


@pytest.mark.slow
async def test_a_shard_may_wait_for_its_turn_for_longer_than_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody reads the answers meanwhile; the connection is not taken for dead."""
    monkeypatch.setattr(identifies, "LEAST_GAP", 2.5)
    monkeypatch.setattr(identifies.Identifies, "reserve", lambda *_: 0.0)  # all connect at once
    async with open_local_discord(options(1)) as discord, listening(discord, shards="0-2/4") as bot:
        await bot.until(bot.is_connected)
        assert len(discord.counters.identify_times) == 3
        assert bot.figures.reasons == []


def test_a_server_counts_as_left_only_where_its_own_shard_says_so() -> None:
    """Neither before that shard's READY, nor where another process runs it."""
    servers = {shard: (shard + 16 * 1000) << 22 for shard in range(16)}
    known = frozenset(servers.values())
    listed = GuildList(frozenset({servers[0]}), frozenset({0, 1, 2}), 16)
    assert listed.left(known) == {servers[1], servers[2]}
    assert GuildList(frozenset(), frozenset(), 16).left(known) == frozenset()
    assert GuildList(frozenset(), frozenset({0})).left(known) == known
