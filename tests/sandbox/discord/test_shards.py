"""The local Discord's gateway has shards, as Discord has: for a library's client, and for a plain one."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from itertools import pairwise
from typing import Any

import aiohttp
import httpx
import pytest
import trio
from interactions import Client, Intents
from interactions.api.events import RawGatewayEvent
from interactions.api.http.route import Route

from discordianai.sandbox.discord import (
    CHANNELS,
    Channel,
    DiscordOptions,
    direct_messages,
    open_local_discord,
    person,
)
from discordianai.sandbox.discord.api_objects import GUILD_ID
from discordianai.sandbox.discord.shard import SandboxShard
from tests.asyncio_loop import run_asyncio
from tests.sandbox.discord.plain_client import connected, identified, on_asyncio, on_trio

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

UNHURRIED = DiscordOptions(identify_interval=0.0)
HOME = (GUILD_ID >> 22) % 4
"""Of four shards the one to which the guild belongs; of three it is the last."""


@pytest.mark.parametrize(
    "shard", [[4, 4], [0, 0], [-1, 4], [1], [0, 1, 2], ["0", "1"], [True, 2], 3, "0/1", {"id": 0}]
)
async def test_what_is_no_shard_is_refused(shard: object) -> None:
    """With close code 4010."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> object:
            async with connected(discord.gateway_url) as client:
                return await client.identify(shard)

        assert await on_asyncio(ask) == 4010
        assert discord.start_limit.remaining == 999


@pytest.mark.parametrize("options", [{"sharding_required": True}, {"guilds_per_shard": 0}])
async def test_a_bot_with_too_many_guilds_must_have_shards(options: dict[str, Any]) -> None:
    """With close code 4011; a shard that is not too large is welcome."""
    async with open_local_discord(DiscordOptions(identify_interval=0.0, **options)) as discord:

        async def ask(shard: object) -> Any:
            async with connected(discord.gateway_url) as client:
                return await client.identify(shard)

        assert await on_asyncio(lambda: ask(None)) == 4011
        assert await on_asyncio(lambda: ask([0, 1])) == 4011
        assert (await on_asyncio(lambda: ask([(HOME + 1) % 4, 4])))["t"] == "READY"


async def test_a_shard_is_told_of_its_own_guilds_only() -> None:
    """In READY, by GUILD_CREATE, and in every event; direct messages come on shard 0."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[Any]:
            heard = []
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(connected(discord.gateway_url)) for _ in range(3)]
                for number, client in enumerate(clients):
                    ready = await client.identify([number, 3])
                    heard.append([guild["id"] for guild in ready["d"]["guilds"]])
                discord.registered[None] = {"ask": {"id": "1", "name": "ask", "type": 1}}
                on_trio(partial(discord.invoke_now, "ask"))
                on_trio(partial(discord.invoke_now, "ask", channel=direct_messages(person())))
                on_trio(discord.permissions_changed)
                for number, client in enumerate(clients):
                    heard[number] += [name for name, _ in await client.events()]
            return heard

        at_home = [str(GUILD_ID), "GUILD_CREATE", "INTERACTION_CREATE", *["CHANNEL_UPDATE"] * len(CHANNELS)]
        assert await on_asyncio(ask) == [["INTERACTION_CREATE"], [], at_home]


@pytest.mark.slow
async def test_a_users_own_app_is_heard_on_changing_shards() -> None:
    """Discord does not say on which: each use comes on one of them, in turn."""
    foreign = Channel(9_000_000 << 22 | 1, "elsewhere", 9_000_000 << 22)
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[int]:
            async with identified(discord, *((number, 4) for number in range(4))) as clients:
                discord.registered[None] = {"ask": {"id": "1", "name": "ask", "type": 1}}
                for _ in range(8):
                    on_trio(partial(discord.invoke_now, "ask", channel=foreign, guest=True))
                return [len(await client.events()) for client in clients]

        assert await on_asyncio(ask) == [2, 2, 2, 2]


@pytest.mark.slow
async def test_a_shard_may_have_several_sessions() -> None:
    """Each hears everything, whatever number of shards the others count."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[int]:
            async with identified(discord, (HOME, 4), (HOME, 4), (0, 1), ((HOME + 1) % 4, 4)) as clients:
                on_trio(discord.permissions_changed)
                return [len(await client.events()) for client in clients]

        assert await on_asyncio(ask) == [3, 3, 3, 0]


async def test_each_session_is_resumed_by_itself() -> None:
    """It gets what it missed, its neighbour nothing twice."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[Any]:
            async with identified(discord, (HOME, 4), (HOME, 4)) as (first, second):
                await first.close(4000)
                await asyncio.sleep(0.2)
                on_trio(discord.permissions_changed)
                answers = [len(await second.events())]
                resume = {"token": "sandbox-token", "session_id": first.session_id, "seq": 2}
                async with connected(first.resume_url) as again:
                    answers.append((await again.ask(6, resume))["t"])
                    return [*answers, [name for name, _ in await again.events()], await second.next()]

        missed = ["CHANNEL_UPDATE"] * (len(CHANNELS) - 1)
        assert await on_asyncio(ask) == [len(CHANNELS), "CHANNEL_UPDATE", [*missed, "RESUMED"], None]
        assert discord.counters.resumes == 1


async def test_a_session_that_nobody_resumes_is_forgotten() -> None:
    """Three minutes later it is no longer valid."""
    async with open_local_discord(UNHURRIED) as discord:

        async def leave() -> str:
            async with identified(discord, (0, 1)) as (client,):
                return client.session_id

        forgotten = await on_asyncio(leave)
        await trio.sleep(0.1)
        discord.advance(181)
        resumable = await on_asyncio(leave)
        assert forgotten not in discord.sessions
        assert resumable in discord.sessions


@pytest.mark.parametrize(
    ("opcode", "data", "code"),
    [
        (6, {"token": "wrong", "session_id": "", "seq": 0}, 4004),
        (6, {"token": "sandbox-token", "session_id": "", "seq": 9}, 4007),
        (3, {}, 4003),
    ],
)
async def test_what_cannot_be_resumed_is_refused(opcode: int, data: dict[str, object], code: int) -> None:
    """With the close code that says why."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> object:
            async with identified(discord, (0, 1)) as (client,):
                await client.close(4000)
            async with connected(discord.gateway_url) as again:
                return await again.ask(opcode, {**data, "session_id": client.session_id})

        assert await on_asyncio(ask) == code


async def test_a_second_identify_on_a_connection_is_refused() -> None:
    """With close code 4005."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> object:
            async with identified(discord, (0, 4)) as (client,):
                return await client.identify([0, 4])

        assert await on_asyncio(ask) == 4005


async def test_identifies_are_limited_by_bucket() -> None:
    """`shard_id % max_concurrency`: one in five seconds in each; those refused count, too."""
    async with open_local_discord(DiscordOptions(max_concurrency=2, recommended_shards=4)) as discord:

        async def ask(*shards: int) -> list[str]:
            answers = []
            for shard in shards:
                async with connected(discord.gateway_url) as client:
                    answer = await client.identify([shard, 4])
                    answers.append(answer.get("t") or answer["op"])
            return answers

        assert await on_asyncio(lambda: ask(0, 1, 2, 3)) == ["READY", "READY", 9, 9]
        discord.advance(5)
        assert await on_asyncio(lambda: ask(2, 3)) == ["READY", "READY"]
        told = [(each.shard, each.bucket) for each in discord.start_limit.record]
        assert told == [(SandboxShard(number, 4), number % 2) for number in (0, 1, 2, 3, 2, 3)]
        async with httpx.AsyncClient(headers={"Authorization": "Bot sandbox-token"}) as client:
            gateway = (await client.get(f"{discord.api_url}/gateway/bot")).json()
        limit = gateway["session_start_limit"]
        assert gateway["shards"] == 4
        assert (limit["total"], limit["remaining"], limit["max_concurrency"]) == (1000, 994, 2)
        assert limit["reset_after"] == pytest.approx(3_595_000, abs=30_000)
        discord.advance(3600)
        assert discord.start_limit.json(discord.now())["remaining"] == 1000


@pytest.mark.parametrize("fault", ["identify-4009", "identify-invalid", "open-4000", "identify-frozen"])
async def test_a_fault_may_be_one_shards_alone(fault: str) -> None:
    """The others identify meanwhile; it can be healed alone, too."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask(shard: int) -> object:
            async with connected(discord.gateway_url) as client:
                answer = await client.identify([shard, 4])
                return answer.get("t") or answer["op"] if isinstance(answer, dict) else answer

        discord.break_gateway(fault, shard=2)
        broken = {"identify-4009": 4009, "identify-invalid": 9, "open-4000": 4000, "identify-frozen": None}
        answers = [await on_asyncio(partial(ask, number)) for number in (1, 2, 3)]
        assert answers == ["READY", broken[fault], "READY"]
        discord.heal_gateway(shard=2)
        assert await on_asyncio(lambda: ask(2)) == "READY"


async def test_a_shard_that_is_refused_gets_no_websocket() -> None:
    """A status of 503, on the address that READY told it; the others' are good."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[object]:
            async with identified(discord, (1, 4), (2, 4)) as (first, second):
                on_trio(partial(discord.break_gateway, "open-refused", shard=2))
                on_trio(partial(discord.drop_gateway, resumable=True, shard=2))
                lost = [await second.next(), await first.next()]
                with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                    async with connected(second.resume_url):
                        pass
                async with connected(first.resume_url):
                    return lost

        assert await on_asyncio(ask) == [4000, None]


async def test_one_shard_freezes() -> None:
    """Its heartbeats go unanswered and it hears nothing, while the others do."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[object]:
            async with identified(discord, (0, 2), (1, 2)) as (first, second):
                on_trio(partial(discord.freeze_gateway, shard=0))
                await asyncio.sleep(0.1)
                heard = [await first.ask(1, None), (await second.ask(1, None))["op"]]
                return [*heard, sorted(shard.id for shard in discord.connected_shards)]

        assert await on_asyncio(ask) == [None, 11, [1]]


async def test_ops_are_aimed_at_one_shard() -> None:
    """Op 7 and op 9."""
    async with open_local_discord(UNHURRIED) as discord:

        async def ask() -> list[object]:
            async with identified(discord, (0, 2), (1, 2)) as (first, second):
                on_trio(partial(discord.ask_to_reconnect, shard=0))
                heard = [(await first.next())["op"], await second.next()]
                on_trio(partial(discord.invalidate_sessions, shard=1))
                return [*heard, await first.next(), (await second.next())["op"]]

        assert await on_asyncio(ask) == [7, None, None, 9]


async def test_the_original_client_has_shards_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of `interactions`' clients, one for each shard: each hears what is its own."""
    heard: list[int] = []
    everything = trio.Event()

    def make(number: int) -> Client:
        client = Client(intents=Intents.GUILDS, shard_id=number, total_shards=3, sync_interactions=False)

        async def note(_event: RawGatewayEvent) -> None:
            heard.append(number)
            if len(heard) == len(CHANNELS):
                on_trio(everything.set)

        client.add_event_processor("raw_channel_update")(note)
        return client

    async def main() -> None:
        clients = [make(number) for number in range(3)]
        try:
            await asyncio.gather(*(client.astart("sandbox-token") for client in clients))
        finally:
            for client in clients:
                await client.stop()

    async with open_local_discord(DiscordOptions(max_concurrency=3)) as discord:
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_asyncio, main)
            with trio.fail_after(20):
                await discord.wait_shards(3)
                discord.permissions_changed()
                await everything.wait()
            nursery.cancel_scope.cancel()
        assert discord.start_limit.remaining == 997
    assert set(heard) == {(GUILD_ID >> 22) % 3}


def test_every_guild_has_one_shard() -> None:
    """Whatever their number."""
    for total in (1, 2, 16, 17):
        shards = [SandboxShard(number, total) for number in range(total)]
        for guild_id in (0, 1, 1 << 22, GUILD_ID, 2**63 - 1):
            assert [shard.serves(guild_id) for shard in shards].count(True) == 1
        assert all(earlier < later for earlier, later in pairwise(shards))
