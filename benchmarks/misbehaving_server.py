"""The scripted server in a process of its own, so that a client's CPU time is the client's alone.

Run as `python -m benchmarks.misbehaving_server FOLDER STREAMS`: it writes the authority's certificate into
the folder, prints its address, allows so many streams on a connection, and serves until its input ends.
"""

import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.http import PeerGone, Server, ServerExchange, ServerOptions, open_server
from discordianai.sandbox.http.http2_server import Http2Connection

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}],"model":"m","id":"chatcmpl-1"}\n\n'
EVENTS = 500


async def slow(exchange: ServerExchange) -> None:
    """Answers after a second."""
    await exchange.body()
    await trio.sleep(1)
    await exchange.respond(200, body=b"done")


async def events(exchange: ServerExchange) -> None:
    """An event stream at the pace of a fast model; those of several askers are not in step."""
    await exchange.body()
    pace = random.Random()
    await exchange.start(200, [("content-type", "text/event-stream")])
    for _ in range(EVENTS):
        await exchange.send(EVENT)
        await trio.sleep(pace.uniform(0.002, 0.006))
    await exchange.finish()


async def stall(exchange: ServerExchange) -> None:
    """Begins an answer and says no more."""
    await exchange.start(200)
    await exchange.send(b"x")
    await trio.sleep_forever()


async def busy(exchange: ServerExchange) -> None:
    """Says something every 50 ms for seven seconds."""
    await exchange.start(200)
    for _ in range(140):
        await exchange.send(b"x" * 100)
        await trio.sleep(0.05)
    await exchange.finish()


async def quick(exchange: ServerExchange) -> None:
    """Answers 2 KB after 20 ms."""
    await exchange.body()
    await trio.sleep(0.02)
    await exchange.respond(200, body=b"y" * 2048)


PATHS: dict[str, Callable[[ServerExchange], Awaitable[None]]] = {
    "/slow": slow,
    "/events": events,
    "/stall": stall,
    "/busy": busy,
    "/quick": quick,
}


class Handler:
    """Answers by path; `/silence` stops the other connections, `/counts` tells of resets and open streams."""

    def __init__(self) -> None:
        self.server: Server | None = None

    async def __call__(self, exchange: ServerExchange) -> None:
        """See `Handler` of the sandbox."""
        if exchange.path == "/silence":
            for connection in self._others(exchange):
                connection.stall()
            await exchange.respond(200)
        elif exchange.path == "/counts":
            others = self._others(exchange)
            resets = sum(len(connection.resets_received) for connection in others)
            still_open = sum(connection.open_streams for connection in others)
            await exchange.respond(200, body=f"{resets} {still_open}".encode())
        else:
            try:
                await PATHS[exchange.path](exchange)
            except PeerGone:
                return

    def _others(self, exchange: ServerExchange) -> list[Http2Connection]:
        history = self.server.history if self.server else []
        mine = getattr(exchange, "connection", None)
        return [c for c in history if isinstance(c, Http2Connection) and c is not mine]


async def main() -> None:
    """Serve until standard input ends."""
    authority = make_authority()
    authority.write_ca(Path(sys.argv[1]) / "ca.pem")
    handler = Handler()
    options = ServerOptions(max_concurrent_streams=int(sys.argv[2]))
    async with open_server(handler, authority=authority, options=options) as server:
        handler.server = server
        print(server.url, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    trio.run(main)
