"""The gateway refuses, is silent or talks nonsense: the bot tries at a pace, goes on, and comes back.

`pytest -m slow` shows for each fault what comes in half a minute, and how long the bot then takes to be back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import trio

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, LocalDiscord, person
from discordianai.sandbox.discord.gateway_faults import FAULTS, FaultMoment
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions
from tests.end_to_end.conftest import FAST, Stage

pytestmark = pytest.mark.long

QUICK_HEARTBEAT = DiscordOptions(heartbeat_interval=1.5)
"""A frozen connection is noticed by the second heartbeat."""

LONG_ANSWERS = ServiceOptions(first_token=0.1, between_tokens=0.05)

LONGEST_PAUSE_AFTER_HALF_A_MINUTE = 40.0
"""Seconds: the third gap of 20 s with its jitter, 5 s after op 9, and a start on a busy machine."""

REFUSED = ("identify-invalid", "identify-4000", "identify-4008", "identify-4009")
OTHERS = ("open-refused", "session-1000", "session-reconnect", "session-frozen")
RESUMES = ("resume-invalid", "resume-4000", "resume-frozen")
ENDING = (4004, 4010, 4011, 4012, 4013, 4014)


async def fetched(page: httpx.AsyncClient, path: str) -> str:
    """The text of a page, empty while it is not served yet."""
    try:
        return (await page.get(path)).text
    except httpx.TransportError:
        return ""


async def first_try(sandbox: Sandbox) -> None:
    """Wait until the bot has tried to connect."""
    with trio.fail_after(60):
        while not any(tries(sandbox.discord)) and "starting it again" not in sandbox.log.read_text():  # noqa: ASYNC110  # a file
            await trio.sleep(0.05)


def tries(discord: LocalDiscord) -> tuple[int, int]:
    """IDENTIFYs and RESUMEs that have come so far."""
    return len(discord.counters.identify_times), len(discord.counters.resume_times)


@contextmanager
def at_a_pace(discord: LocalDiscord) -> Iterator[None]:
    """In all of the block two IDENTIFYs are five seconds apart."""
    yield
    times = discord.counters.identify_times
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap >= 4.9 for gap in gaps), gaps  # a tenth for the way there


@pytest.mark.parametrize("fault", [*REFUSED, *OTHERS])
async def test_the_bot_tries_at_a_pace_under(fault: str, tmp_path: Path, authority: Authority) -> None:
    """Eight seconds are enough for a storm: it was a hundred a second."""
    async with (
        open_sandbox(tmp_path, authority=authority, discord=QUICK_HEARTBEAT) as sandbox,
        open_bot(sandbox) as bot,
    ):
        discord = sandbox.discord
        discord.break_gateway(fault)
        with at_a_pace(discord):
            await first_try(sandbox)
            await trio.sleep(8)
            identifies, resumes = tries(discord)
            assert identifies <= 2
            assert resumes <= 4
            log = sandbox.log.read_text()
            assert log.count("starting it again") <= 1
            assert "Traceback" not in log
        began = trio.current_time()
        assert await bot.stop() == 0  # in the middle of a pause
        assert trio.current_time() - began < 3


@pytest.mark.parametrize("fault", RESUMES)
async def test_resumes_come_at_a_pace_under(fault: str, stage: Stage) -> None:
    """An answer that streams goes on meanwhile, and after the last RESUME somebody can ask again."""
    async with stage(discord=QUICK_HEARTBEAT, providers=LONG_ANSWERS) as scene:
        discord = scene.sandbox.discord
        asked = await discord.invoke("ask", {"prompt": "go on"}, user=person(1))
        await asked.wait_until(lambda i: "sandbox" in i.text)
        with at_a_pace(discord):
            discord.break_gateway(fault)
            discord.drop_gateway(resumable=True)
            await scene.wait_answered(1)
            await trio.sleep(5)
            identifies, resumes = tries(discord)
            assert identifies <= 2
            assert 1 <= resumes <= 5
            discord.heal_gateway()
            with trio.fail_after(25):
                await discord.wait_ready()
            again = discord.invoke_now("ask", {"prompt": "again"}, user=person(1))
            await again.wait_until(lambda i: "You asked: “again”" in i.text, timeout=10)


async def test_health_tells_what_is_going_on_and_until_when(tmp_path: Path, authority: Authority) -> None:
    """In one sentence, which is gone when the bot is back."""
    async with open_sandbox(tmp_path, authority=authority, providers=FAST) as sandbox:
        port = free_port()
        sandbox.write_settings({"operations": {"port": port}})
        sandbox.discord.break_gateway("identify-4008")
        async with open_bot(sandbox), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
            text = ""
            with trio.fail_after(60):
                while "the next try is at" not in text:
                    await trio.sleep(0.1)
                    text = await fetched(page, "/health")
            assert (
                "the Discord gateway is not connected: the connection was closed with 4008; the next" in text
            )
            assert " UTC" in text
            sandbox.discord.heal_gateway()
            with trio.fail_after(60):
                while await fetched(page, "/health/ready") != "yes\n":  # noqa: ASYNC110  # it is asked
                    await trio.sleep(0.1)
            metrics = await fetched(page, "/metrics")
            tried = len(sandbox.discord.counters.identify_times)
            assert f"discordianai_discord_identify_tries_total {float(tried)}" in metrics
            assert "discordianai_discord_identifies_total 1.0" in metrics


@pytest.mark.parametrize(
    ("status", "path"), [(429, "/gateway/bot"), (502, "/gateway/bot"), (500, "/users/@me")]
)
async def test_an_ill_rest_side_is_tried_at_a_pace(
    status: int, path: str, tmp_path: Path, authority: Authority
) -> None:
    """No IDENTIFY without Discord's leave, and the bot is there when that comes."""
    async with open_sandbox(tmp_path, authority=authority, providers=FAST) as sandbox:
        sandbox.discord.fail_next(path, status, times=4 if path == "/users/@me" else 1)
        async with open_bot(sandbox) as bot:
            await bot.ready(40)
        assert len(sandbox.discord.counters.identify_times) == 1
        assert "Traceback" not in sandbox.log.read_text()


@pytest.mark.parametrize("code", ENDING)
async def test_what_no_retry_mends_ends_the_bot_with_78(
    code: int, tmp_path: Path, authority: Authority
) -> None:
    """One IDENTIFY, one sentence, and systemd does not start it again."""
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        sandbox.discord.break_gateway(f"identify-{code}")
        async with open_bot(sandbox) as bot:
            with trio.fail_after(20):
                assert await bot.process.wait() == 78
        assert len(sandbox.discord.counters.identify_times) == 1
        assert "Traceback" not in sandbox.log.read_text()


@pytest.mark.parametrize("fault", [name for name in FAULTS if FAULTS[name].code not in ENDING])
async def test_at_most_seven_identifies_in_thirty_seconds_under(
    fault: str, tmp_path: Path, authority: Authority
) -> None:
    """And the bot is back within the pause that it is in."""
    async with (
        open_sandbox(tmp_path, authority=authority, discord=QUICK_HEARTBEAT) as sandbox,
        open_bot(sandbox) as bot,
    ):
        discord = sandbox.discord
        if FAULTS[fault].moment is FaultMoment.RESUME:
            await bot.ready(60)
        discord.break_gateway(fault)
        discord.drop_gateway(resumable=True)
        await first_try(sandbox)
        await trio.sleep(30)
        identifies, resumes = tries(discord)
        discord.heal_gateway()
        healed = trio.current_time()
        with trio.fail_after(LONGEST_PAUSE_AFTER_HALF_A_MINUTE):
            await discord.wait_connected()
        back = trio.current_time() - healed
    print(f"\n{fault}: {identifies} identifies, {resumes} resumes, back after {back:.1f} s")  # noqa: T201  # the figure
    assert identifies <= 7
    assert resumes <= 7
