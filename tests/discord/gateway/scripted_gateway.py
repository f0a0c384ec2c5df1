"""A gateway that plays scripts, over real sockets, and the library's client on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from interactions import Client, Intents
from interactions.api.http.route import Route

from discordianai.discord.gateway import http_client, identifies, session
from discordianai.discord.gateway.http_client import ListenerHTTPClient
from discordianai.discord.gateway.identifies import Identifies, IdentifyPacer
from discordianai.discord.gateway.session import GatewaySession
from discordianai.discord.gateway.session_limit import SessionEnded, StartLimit
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.shard_statistics import ShardCounter

HELLO = {"op": 10, "d": {"heartbeat_interval": 40_000}}

Script = Callable[[web.WebSocketResponse], Awaitable[None]]
"""What the server does on one connection."""


def ready(url: str) -> dict[str, Any]:
    data = {"session_id": "s", "resume_gateway_url": url, "user": {"id": "1"}, "guilds": []}
    return {"op": 0, "t": "READY", "s": 1, "d": data}


class Server:
    """Plays a script for each connection, the last one again and again, and notes the opcodes that come."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.opcodes: list[int] = []
        self.url = self.redirect_to = ""
        self.limited = 0  # connections that were answered by a 429

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        await script(response)
        return response

    async def moved(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound(self.redirect_to)

    async def limit(self, _request: web.Request) -> web.Response:
        self.limited += 1
        raise web.HTTPTooManyRequests(headers={"Retry-After": "600"})

    async def hear(self, response: web.WebSocketResponse, opcode: int) -> None:
        """Wait for this opcode; heartbeats are passed over."""
        while True:
            heard = json.loads((await response.receive()).data)["op"]
            if heard != 1:
                self.opcodes.append(heard)
            if heard == opcode:
                return


async def me(_request: web.Request) -> web.Response:
    return web.json_response({"id": "1"})


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[None]:
    app = web.Application()
    app.add_routes([web.get("/users/@me", me), web.get("/gateway", server.websocket)])
    app.add_routes([web.get("/moved", server.moved), web.get("/limited", server.limit)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"127.0.0.1:{runner.addresses[0][1]}"
        yield
    finally:
        await runner.cleanup()


async def never() -> StartLimit:
    """A session does not ask for the day's limit."""
    raise NotImplementedError


@asynccontextmanager
async def a_session(server: Server, url: str = "") -> AsyncIterator[GatewaySession]:
    """The library's connection, not begun yet."""
    previous, Route.BASE = Route.BASE, f"http://{server.url}"
    client = Client(intents=Intents.GUILDS, sync_interactions=False)
    client.http = ListenerHTTPClient(ApplicationLimits())
    await client.http.login("token")
    session = GatewaySession(client, Intents.GUILDS, 0)
    session.starts, session.figures = IdentifyPacer(Identifies(never)), ShardCounter()
    session.gateway_url = url or f"ws://{server.url}/gateway"
    client._connection_state = session
    try:
        yield session
    finally:
        Route.BASE = previous
        await client.http.close()


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short timeouts, so that they pass within a test."""
    monkeypatch.setattr(http_client, "OPEN_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "HELLO_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "ANSWER_TIMEOUT", 0.5)
    monkeypatch.setattr(session, "CLOSE_TIMEOUT", 0.2)
    monkeypatch.setattr(session, "RESUME_GAP", 0.05)
    monkeypatch.setattr(session, "LONGEST_RESUME_GAP", 0.75)
    monkeypatch.setattr(identifies, "INVALID_SESSION_PAUSE", (0.05, 0.1))


def play(server: Server, url: str = "", within: float = 8.0) -> str:
    """Run one session to its end; why it ended."""

    async def run() -> str:
        async with serving(server), a_session(server, url) as session:
            with pytest.raises(SessionEnded) as ended:
                async with asyncio.timeout(within):
                    await session._ws_connect()
            return str(ended.value)

    return asyncio.run(run())


async def silence(_response: web.WebSocketResponse) -> None:
    await asyncio.sleep(5)


def says(*messages: object) -> Script:
    """Sends this unasked, then stays silent."""

    async def script(response: web.WebSocketResponse) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await response.send_bytes(message)
            else:
                await response.send_str(message if isinstance(message, str) else json.dumps(message))
        await silence(response)

    return script


def answers(server: Server, opcode: int, *messages: object, close: int | None = None) -> Script:
    """HELLO; and to this opcode these messages, or a close."""

    async def script(response: web.WebSocketResponse) -> None:
        await response.send_json(HELLO)
        await server.hear(response, opcode)
        for message in messages:
            await response.send_json(message)
        if close is not None:
            await response.close(code=close)
        else:
            while not response.closed:
                await response.receive()

    return script
