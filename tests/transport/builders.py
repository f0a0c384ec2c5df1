"""A client over the pool and a scripted server, and handlers that both sides know."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import Handler, PeerGone, Server, ServerExchange, ServerOptions, open_server
from discordianai.sandbox.http.http2_server import Http2Connection, Http2Exchange
from discordianai.transport import MultiplexedTransport, PoolEvent
from tests.transport.backends import server_thread

TIMEOUT = httpx.Timeout(30.0)


@dataclass
class Scene:
    """`client` speaks to `server` through `transport`; `events` is what the pool told."""

    server: Server
    transport: MultiplexedTransport
    client: httpx.AsyncClient
    events: list[PoolEvent] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return self.server.url + path

    async def get(self, path: str = "/", **more: Any) -> httpx.Response:
        return await self.client.get(self.url(path), **more)

    @property
    def open_streams(self) -> int:
        """Streams that the server still has open."""
        return sum(connection.open_streams for connection in self.server.connections)

    @property
    def resets(self) -> int:
        """RST_STREAM frames that the server got."""
        return sum(len(connection.resets_received) for connection in self.server.history)

    def connection(self, index: int = 0) -> Http2Connection:
        connection = self.server.connections[index]
        assert isinstance(connection, Http2Connection)
        return connection

    def told(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        """Wait for what has no event of its own."""
        with anyio.fail_after(timeout):
            while not condition():  # noqa: ASYNC110  # two sides of a socket share no event
                await anyio.sleep(0.005)


@asynccontextmanager
async def running(
    authority: Authority, handler: Handler, options: ServerOptions | None
) -> AsyncIterator[Server]:
    """The server, which runs on trio: beside the test, or in a thread of its own if that is on asyncio."""
    if trio.lowlevel.in_trio_task():
        async with open_server(handler, authority=authority, options=options) as server:
            yield server
    else:
        with server_thread(authority, handler, options) as server:
            yield server


@asynccontextmanager
async def scene(
    authority: Authority, handler: Handler, options: ServerOptions | None = None, **transport: Any
) -> AsyncIterator[Scene]:
    """Both are open while the block runs."""
    events: list[PoolEvent] = []
    pool = MultiplexedTransport(ssl_context=authority.client_context(), on_event=events.append, **transport)
    async with (
        running(authority, handler, options) as server,
        httpx.AsyncClient(transport=pool, timeout=TIMEOUT) as client,
    ):
        yield Scene(server, pool, client, events)
    assert [complaint for connection in server.history for complaint in connection.complaints] == []


async def echo(exchange: ServerExchange) -> None:
    """Says what was said."""
    body = await exchange.body()
    await exchange.respond(200, [("x-path", exchange.path)], body)


async def patient(exchange: ServerExchange) -> None:
    """`/stall` begins and says no more; `/slow` takes 0.2 s; `/drip` streams; all else is echoed."""
    match exchange.path:
        case "/stall":
            await exchange.start(200)
            await exchange.send(b"beginning")
            await trio.sleep_forever()
        case "/silent":
            await trio.sleep_forever()
        case "/slow":
            await exchange.body()
            await trio.sleep(0.2)
            await exchange.respond(200, body=b"slow")
        case "/drip":
            await exchange.start(200)
            for number in range(10):
                await exchange.send(f"{number};".encode())
                await trio.sleep(0.02)
            await exchange.finish()
        case "/flood":
            await exchange.start(200)
            try:
                while True:
                    await exchange.send(b"x" * 16_000)
            except PeerGone:
                return
        case _:
            await echo(exchange)


def http2(exchange: ServerExchange) -> Http2Exchange:
    assert isinstance(exchange, Http2Exchange)
    return exchange
