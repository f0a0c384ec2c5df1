"""The installed bot with several shards: each bucket's IDENTIFYs apart, and one shard's trouble its own.

`pytest -m long` runs sixteen shards: with one bucket their start takes 80 s, as at Discord.
"""

import math
import os
import re
import socket
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import trio

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, Interaction, LocalDiscord, person
from discordianai.sandbox.discord.api_objects import GUILD_ID
from discordianai.sandbox.discord.shard import SandboxShard
from discordianai.sandbox.launcher import open_bot, open_sandbox
from discordianai.settings.file import load
from tests.end_to_end.conftest import FAST, Scene, Stage

pytestmark = pytest.mark.slow

DISCORDS_GAP = 5.0
"""Seconds between two IDENTIFYs of one bucket."""


def home(total: int) -> int:
    """The shard to which the guild belongs."""
    return (GUILD_ID >> 22) % total


def discord_with(shards: int, concurrency: int) -> DiscordOptions:
    """A Discord that recommends so many."""
    return DiscordOptions(max_concurrency=concurrency, recommended_shards=shards, heartbeat_interval=2.0)


def settings(shards: object, port: int = 0) -> dict[str, dict[str, object]]:
    return {"discord": {"shards": shards}, "operations": {"port": port}}


async def all_connected(discord: LocalDiscord, shards: int, timeout: float) -> None:
    """Wait until all shards are, and commands are registered."""
    with trio.fail_after(timeout):
        await discord.wait_shards(shards)
        await discord.wait_ready()


def gaps(discord: LocalDiscord) -> list[float]:
    """Between the IDENTIFYs of each bucket, as the gateway saw them."""
    buckets: dict[int, list[float]] = {}
    for each in discord.start_limit.record:
        buckets.setdefault(each.bucket, []).append(each.time)
    return [later - earlier for times in buckets.values() for earlier, later in pairwise(times)]


@contextmanager
def at_discords_pace(discord: LocalDiscord) -> Iterator[None]:
    """In all of the block no bucket had two IDENTIFYs within five seconds."""
    yield
    assert all(gap >= DISCORDS_GAP for gap in gaps(discord)), gaps(discord)


async def acknowledged(discord: LocalDiscord, number: int) -> float:
    """Somebody asks in the guild; seconds until that is acknowledged."""
    began = trio.current_time()
    asked: Interaction = discord.invoke_now("ask", {"prompt": "why?"}, user=person(number))
    await asked.wait_until(lambda i: i.response_type is not None)
    return trio.current_time() - began


async def test_four_shards_begin_five_seconds_apart_and_the_first_answers_meanwhile(
    tmp_path: Path, authority: Authority
) -> None:
    """ "auto": Discord recommends four, one at a time. One question for the limit, one registration."""
    async with open_sandbox(
        tmp_path, authority=authority, discord=discord_with(4, 1), providers=FAST
    ) as sandbox:
        discord, port = sandbox.discord, free_port()
        auto = settings("auto", port)
        auto["discord"]["admin_user_ids"] = [person(9).id]
        sandbox.write_settings(auto)
        async with open_bot(sandbox) as bot, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
            with at_discords_pace(discord):
                with trio.fail_after(90):
                    while SandboxShard(home(4), 4) not in discord.connected_shards:
                        await discord.wait_changed()
                    await discord.wait_ready()
                assert await acknowledged(discord, 1) < 3
                await all_connected(discord, 4, 90)
            assert [each.shard.id for each in discord.start_limit.record] == [0, 1, 2, 3]
            assert len(discord.counters.gateway_questions) == 1
            assert discord.counters.commands_written == 1
            health = {"ready": False}
            with trio.fail_after(60):
                while not health["ready"]:
                    health = (await page.get("/health")).json()
                    await trio.sleep(0.1)
            metrics = (await page.get("/metrics")).text
            for number in range(4):
                assert f'discordianai_discord_shard_connected{{shard="{number}"}} 1.0' in metrics
                assert f'discordianai_discord_shard_identify_tries_total{{shard="{number}"}} 1.0' in metrics
            assert "discordianai_discord_shard_total 4.0" in metrics
            assert "discordianai_discord_identifies_total 4.0" in metrics
            assert f'discordianai_discord_shard_servers{{shard="{home(4)}"}} 1.0' in metrics
            status = await discord.invoke("status", user=person(9))
            await status.wait_until(lambda i: "4 of 4 shards connected" in i.text)
            assert await bot.stop() == 0


TROUBLES = ("dropped", "refused", "frozen", "op 9")


def befall(discord: LocalDiscord, trouble: str, shard: int) -> None:
    """Break the gateway of one shard."""
    match trouble:
        case "dropped":
            discord.drop_gateway(resumable=False, shard=shard)
        case "refused":
            discord.break_gateway("open-refused", shard=shard)
            discord.drop_gateway(resumable=True, shard=shard)
        case "frozen":
            discord.break_gateway("open-frozen", shard=shard)
            discord.freeze_gateway(shard=shard)
        case "op 9":
            discord.break_gateway("identify-invalid", shard=shard)
            discord.invalidate_sessions(shard=shard)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_others_acknowledge_while_one_shard_is(trouble: str, stage: Stage) -> None:
    """Health names it and says that the bot is degraded, and it comes back within its pause."""
    port, shards = free_port(), 4
    async with stage(settings(shards, port), discord=discord_with(shards, 4)) as scene:
        discord, other = scene.sandbox.discord, (home(shards) + 1) % shards
        await all_connected(discord, shards, 30)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
            with at_discords_pace(discord):
                befall(discord, trouble, other)
                taken, degraded = [], False
                for number in range(80):
                    taken.append(await acknowledged(discord, number))
                    health = (await page.get("/health")).json()
                    degraded |= health["degraded"] and f"not connected: {other}" in health["reasons"][0]
                    await trio.sleep(0.1)
                discord.heal_gateway(shard=other)
                await all_connected(discord, shards, 60)
            assert degraded
            assert max(taken) < 3.0  # Discord waits no longer; usually it takes a hundredth of that
            identified = [each.shard.id for each in discord.start_limit.record]
            assert [identified.count(number) for number in range(shards) if number != other] == [1, 1, 1]
    assert "Traceback" not in scene.log()


async def test_a_refused_shard_is_told_with_the_setting_and_the_others_go_on(stage: Stage) -> None:
    """4011 while others serve: no loop, and no end of the bot."""
    async with stage(settings(4), discord=discord_with(4, 4)) as scene:
        discord, other = scene.sandbox.discord, (home(4) + 1) % 4
        await all_connected(discord, 4, 30)
        discord.break_gateway("identify-4011", shard=other)
        discord.drop_gateway(resumable=False, shard=other)
        with trio.fail_after(60):
            while "shard refused; the others go on" not in scene.log():  # noqa: ASYNC110  # a file
                await trio.sleep(0.05)
        tried = len(discord.start_limit.record)
        await trio.sleep(6)
        assert len(discord.start_limit.record) == tried == 5
        assert await acknowledged(discord, 1) < 3
        assert 'set shards = \\"auto\\" in [discord]' in scene.log().replace('"auto"', '\\"auto\\"')


@pytest.mark.parametrize("code", [4010, 4011, 4014])
async def test_a_bot_that_is_refused_at_once_ends_with_78(
    code: int, tmp_path: Path, authority: Authority
) -> None:
    """One IDENTIFY of four, one sentence."""
    async with open_sandbox(tmp_path, authority=authority, discord=discord_with(4, 1)) as sandbox:
        sandbox.write_settings(settings(4))
        sandbox.discord.break_gateway(f"identify-{code}")
        async with open_bot(sandbox) as bot:
            with trio.fail_after(60):
                assert await bot.process.wait() == 78
        assert len(sandbox.discord.start_limit.record) == 1
        assert "[discord]" in sandbox.log.read_text()
        assert "Traceback" not in sandbox.log.read_text()


async def test_a_process_with_a_range_leaves_the_other_servers_alone(
    tmp_path: Path, authority: Authority
) -> None:
    """What was said in a server of another process's shard outlives any READY of this one's."""
    total, mine = 4, home(4)
    async with open_sandbox(
        tmp_path, authority=authority, discord=discord_with(total, 4), providers=FAST
    ) as sandbox:
        discord = sandbox.discord
        keep: dict[str, dict[str, object]] = {"conversations": {"grace_days": 0.0}}
        sandbox.write_settings(settings(f"{mine}/{total}") | keep)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            assert discord.connected_shards == {SandboxShard(mine, total)}
            asked = await discord.invoke("ask", {"prompt": "remember this"}, user=person(1))
            await asked.wait_until(lambda i: "remember this" in i.text)
            await bot.stop()
        others = [number for number in range(total) if number != mine]
        sandbox.write_settings(settings(f"{others[0]}/{total}") | keep)
        await trio.sleep(DISCORDS_GAP + 0.5)
        async with open_bot(sandbox) as bot:
            with trio.fail_after(60):
                while discord.connected_shards != {SandboxShard(others[0], total)}:
                    await discord.wait_changed()
            await trio.sleep(1)
            await bot.stop()
        sandbox.write_settings(settings(f"{mine}/{total}") | keep)
        await trio.sleep(DISCORDS_GAP)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            history = await discord.invoke("history", user=person(1))
            await history.wait_until(lambda i: "remember this" in i.text)


class Manager:
    """The service manager's side of sd_notify."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)
        self.told: list[str] = []

    async def __aenter__(self) -> "Manager":
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._socket.close()

    def hear(self) -> list[str]:
        """All that it was told so far."""
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.told


async def test_systemd_hears_how_far_the_start_is_and_ready_when_all_are_connected(
    tmp_path: Path, authority: Authority
) -> None:
    """And is asked for more time until then."""
    async with (
        Manager(tmp_path) as manager,
        open_sandbox(tmp_path, authority=authority, discord=discord_with(4, 1)) as sandbox,
    ):
        sandbox.write_settings(settings(4))
        environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "3000000"}
        sandbox = replace(sandbox, environment={**sandbox.environment, **environment})
        async with open_bot(sandbox):
            with trio.fail_after(60):
                while not any("READY=1" in told for told in manager.hear()):  # noqa: ASYNC110  # a socket
                    await trio.sleep(0.1)
            assert len(sandbox.discord.connected_shards) == 4
        told = "\n".join(manager.hear())
        before = told[: told.index("READY=1")]
        assert re.search(r"STATUS=degraded: [123] of 4 shards are connected; not connected: ", before)
        assert "EXTEND_TIMEOUT_USEC=" in before


async def test_reloading_says_that_shards_need_a_restart(stage: Stage) -> None:
    """And changes nothing."""
    async with stage(settings(1), discord=discord_with(4, 4)) as scene:
        scene.sandbox.write_settings(settings(4))
        assert load(scene.sandbox.settings, scene.sandbox.environment).discord.shards == 4
        scene.bot.process.send_signal(1)
        with trio.fail_after(60):
            while "some settings need a restart" not in scene.log():  # noqa: ASYNC110  # a file
                await trio.sleep(0.05)
        assert "discord.shards" in scene.log()
        assert len(scene.sandbox.discord.start_limit.record) == 1


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


async def paced_commands(scene: Scene, seconds: float) -> list[float]:
    """Twenty commands a second in the guild; how long each took to be acknowledged."""
    taken: list[float] = []

    async def one(number: int) -> None:
        taken.append(await acknowledged(scene.sandbox.discord, number % 200))

    async with trio.open_nursery() as nursery:
        for number in range(int(20 * seconds)):
            nursery.start_soon(one, number)
            await trio.sleep(0.05)
    return taken


@pytest.mark.long
@pytest.mark.parametrize("concurrency", [1, 16])
async def test_sixteen_shards(concurrency: int, stage: Stage) -> None:
    """Their start is as long as Discord wants, and one shard's trouble changes nobody's acknowledgement."""
    shards, seconds = 16, 6.0
    async with stage(settings(shards), discord=discord_with(shards, concurrency)) as scene:
        discord, other = scene.sandbox.discord, (home(shards) + 1) % shards
        with at_discords_pace(discord):
            await all_connected(discord, shards, 120)
            first, *_, last = discord.start_limit.record
            took = last.time - first.time
            calm = await paced_commands(scene, seconds)
            figures = {}
            for trouble in TROUBLES:
                befall(discord, trouble, other)
                figures[trouble] = await paced_commands(scene, seconds)
                discord.heal_gateway(shard=other)
                await all_connected(discord, shards, 90)
        memory = memory_of(scene)
        told = ", ".join(f"{name} {p99(taken) * 1000:.0f} ms" for name, taken in figures.items())
        least = min(gaps(discord), default=math.inf)
        print(  # noqa: T201  # the figures
            f"\nmax_concurrency {concurrency}: connected in {took:.1f} s, least gap {least:.3f} s; "
            f"acknowledgement p99 {p99(calm) * 1000:.0f} ms, while one shard is {told}; {memory:.0f} MiB"
        )
        assert all(p99(taken) <= 2 * p99(calm) + 0.05 for taken in figures.values()), told  # a busy machine
        identified = [each.shard.id for each in discord.start_limit.record]
        assert all(identified.count(number) == 1 for number in range(shards) if number != other)


def memory_of(scene: Scene) -> float:
    """Resident MiB of the bot."""
    statm = Path(f"/proc/{scene.bot.process.pid}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
