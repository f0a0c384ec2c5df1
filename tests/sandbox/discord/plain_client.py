"""A client of the gateway that is no library's: it sends and expects what a test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import aiohttp
import trio

from discordianai.sandbox.discord import LocalDiscord
from tests.asyncio_loop import run_asyncio


class PlainClient:
    """A WebSocket after HELLO."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.session_id = ""
        self.resume_url = ""

    async def identify(self, shard: object = None, **more: object) -> Any:
        """The answer to an IDENTIFY."""
        told = {} if shard is None else {"shard": shard}
        return await self.ask(2, {"token": "sandbox-token", "intents": 1, **told, **more})

    async def ask(self, opcode: int, data: object) -> Any:
        """What comes next after this message."""
        await self._socket.send_json({"op": opcode, "d": data})
        answer = await self.next()
        if isinstance(answer, dict) and answer.get("t") == "READY":
            self.session_id = answer["d"]["session_id"]
            self.resume_url = answer["d"]["resume_gateway_url"]
        return answer

    async def next(self) -> Any:
        """The next message, a close code, or None after half a second of silence."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                received = await self._socket.receive()
                return json.loads(received.data) if received.type is aiohttp.WSMsgType.TEXT else received.data
        return None

    async def close(self, code: int) -> None:
        """Close it."""
        await self._socket.close(code=code)

    async def events(self) -> list[tuple[str, Any]]:
        """Those that come until there is silence."""
        heard = []
        while isinstance(message := await self.next(), dict):
            heard.append((message["t"], message["d"]))
        return heard


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[PlainClient]:
    """On asyncio."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        assert json.loads((await socket.receive()).data)["op"] == 10
        yield PlainClient(socket)


@asynccontextmanager
async def identified(discord: LocalDiscord, *shards: tuple[int, int]) -> AsyncIterator[list[PlainClient]]:
    """A client for each, after its READY and GUILD_CREATE."""
    async with AsyncExitStack() as stack:
        clients = []
        for number, total in shards:
            client = await stack.enter_async_context(connected(discord.gateway_url))
            assert (await client.identify([number, total]))["d"]["shard"] == [number, total]
            clients.append(client)
        for client in clients:
            await client.events()
        yield clients


def on_trio(change: Callable[[], object]) -> None:
    """Change the local Discord, from asyncio's thread."""
    trio.from_thread.run_sync(change)


async def on_asyncio(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run it there, within a minute."""
    with trio.fail_after(60):
        return await run_asyncio(work)
