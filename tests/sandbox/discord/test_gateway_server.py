"""The local Discord's gateway keeps Discord's rules on identifies, and misbehaves as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import anyio
import httpx
import pytest
import trio
import trio.testing

from discordianai.sandbox.discord import DiscordOptions, LocalDiscord, open_local_discord
from discordianai.sandbox.discord.gateway_faults import FAULTS, FaultAction, FaultMoment
from tests.asyncio_loop import run_asyncio

IDENTIFY = {"op": 2, "d": {"token": "sandbox-token", "intents": 1}}


@asynccontextmanager
async def connected(discord: LocalDiscord) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client that is no library's, after HELLO; on asyncio."""
    async with aiohttp.ClientSession() as session, session.ws_connect(discord.gateway_url) as socket:
        assert json.loads((await socket.receive()).data)["op"] == 10
        yield socket


async def answer_to(
    discord: LocalDiscord, message: object, *, until_closed: bool = False
) -> tuple[str, object, object]:
    """What comes back first: its kind, opcode or close code, and what it carries.

    With `until_closed`, the gateway closes the connection: where both sides close at once, Hypercorn breaks.
    """

    async def ask() -> tuple[str, object, object]:
        async with connected(discord) as socket:
            await socket.send_json(message)
            with anyio.move_on_after(0.5):
                answer = await socket.receive()
                if answer.type is aiohttp.WSMsgType.CLOSE:
                    return "close", answer.data, None
                if answer.type is aiohttp.WSMsgType.BINARY:
                    return "bytes", None, answer.data
                said = json.loads(answer.data)
                while until_closed and not socket.closed:
                    await socket.receive()
                return "nonsense" if isinstance(said, list) else said.get("t") or "op", said, None
            return "silence", None, None

    return await run_asyncio(ask)  # type: ignore[return-value]  # None only where it is cancelled


async def test_a_page_in_a_browser_hears_nothing() -> None:
    """Browsers let every page open a WebSocket to this machine, and say whose it is."""

    async def ask(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(url, origin="https://evil.example")

    async with open_local_discord() as discord:
        await run_asyncio(partial(ask, discord.gateway_url))
        assert (await answer_to(discord, IDENTIFY))[0] == "READY"


async def lost(discord: LocalDiscord) -> None:
    """A client that is let in, and stays until the server closes."""
    async with connected(discord) as socket:
        await socket.send_json(IDENTIFY)
        assert json.loads((await socket.receive()).data)["t"] == "READY"
        async with asyncio.timeout(10):
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass


async def test_two_identifies_within_five_seconds_are_one_too_many() -> None:
    """The second is answered by op 9; five seconds later one is welcome."""
    async with open_local_discord() as discord:
        assert (await answer_to(discord, IDENTIFY))[0] == "READY"
        assert (await answer_to(discord, IDENTIFY))[1] == {"op": 9, "d": False}
        discord.advance(5)
        assert (await answer_to(discord, IDENTIFY))[0] == "READY"
        assert discord.counters.identifies == 3
        assert len(discord.counters.identify_times) == 3


async def test_every_identify_counts_against_the_days_limit() -> None:
    """Those that are refused, too; one more, and the token is reset."""
    async with open_local_discord(DiscordOptions(identifies=2)) as discord:
        discord.break_gateway("identify-4000")
        for left in (1, 0):
            assert (await answer_to(discord, IDENTIFY))[:2] == ("close", 4000)
            async with httpx.AsyncClient(
                headers={"Authorization": "Bot sandbox-token"}, timeout=60
            ) as client:
                limit = (await client.get(f"{discord.api_url}/gateway/bot")).json()["session_start_limit"]
            assert limit["remaining"] == left
        discord.heal_gateway()
        assert (await answer_to(discord, IDENTIFY))[:2] == ("close", 4004)
        async with httpx.AsyncClient(headers={"Authorization": "Bot sandbox-token"}) as client:
            assert (await client.get(f"{discord.api_url}/users/@me")).status_code == 401


@pytest.mark.parametrize(
    "name", [name for name, fault in FAULTS.items() if fault.moment is FaultMoment.IDENTIFY]
)
async def test_a_fault_is_what_its_name_says(name: str) -> None:
    """And it is over when the gateway is healed."""
    async with open_local_discord() as discord:
        discord.break_gateway(name)
        kind, said, _ = await answer_to(discord, IDENTIFY)
        expected = {
            FaultAction.CLOSE: ("close", FAULTS[name].code),
            FaultAction.INVALID: ("op", {"op": 9, "d": False}),
            FaultAction.RESUMABLE: ("op", {"op": 9, "d": True}),
            FaultAction.FREEZE: ("silence", None),
            FaultAction.GARBAGE: ("bytes", None),
            FaultAction.NONSENSE: ("nonsense", ["no", {"op": "message"}]),
        }
        assert (kind, said) == expected[FAULTS[name].action]
        discord.heal_gateway()
        assert (await answer_to(discord, IDENTIFY))[0] == "READY"


async def test_a_wait_for_a_connection_outlives_one_that_is_lost() -> None:
    """Whoever waits is woken by the next one."""
    async with open_local_discord() as discord, trio.open_nursery() as nursery:
        discord.break_gateway("session-1000")
        await run_asyncio(lambda: lost(discord))
        discord.heal_gateway()
        discord.advance(5)
        woken = trio.Event()

        async def wait() -> None:
            await discord.wait_connected()
            woken.set()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(10):
            assert (await answer_to(discord, IDENTIFY))[0] == "READY"
            await woken.wait()
