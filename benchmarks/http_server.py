"""Servers in a process of their own, so that a client's CPU time is the client's alone.

Run as `python -m benchmarks.http_server FOLDER`: it writes its authority's certificate into the folder as
`ca.pem`, prints the address of a server that is well-behaved and of one that floods, and serves until killed.
The first answers 2 KB, and streams events at `/events`; the second answers with one of `FLOODS`, by the path.
"""

import random
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from benchmarks.processes import open_program
from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.http import PeerGone, ServerExchange, open_server
from discordianai.sandbox.http.http2_server import Http2Exchange

CERTIFICATE = "ca.pem"
START_TIMEOUT = 20.0
"""Seconds."""

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}],"model":"m","id":"chatcmpl-1"}\n\n'
EVENTS = 500
"""Of each stream."""

FRAMES_AT_ONCE = 200
"""In one write."""

MAX_UNSENT = 65_536
"""Bytes that wait to be written."""


def _frame(kind: int, flags: int, payload: bytes, *, stream: bool = True) -> tuple[bool, bytes, bytes]:
    return stream, len(payload).to_bytes(3, "big") + bytes([kind, flags]), payload


FLOODS = {
    "ping": _frame(6, 0, bytes(8), stream=False),
    "unread-ping": _frame(6, 0, bytes(8), stream=False),
    "settings": _frame(4, 0, b"\0\3\0\0\0\x64", stream=False),
    "window-update": _frame(8, 0, b"\0\0\0\1", stream=False),
    "window-update-stream": _frame(8, 0, b"\0\0\0\1"),
    "empty-data": _frame(0, 0, b""),
    "padded-data": _frame(0, 8, b"\xff" + bytes(255)),
    "priority": _frame(2, 0, bytes(4) + b"\x10"),
    "unknown": _frame(0xBE, 0, b"whatever"),
    "hints": _frame(1, 4, b"\x08\x03103"),
    "long-hints": _frame(1, 4, b"\x08\x03103" + b"\x8f" * 1400),
    "long-settings": _frame(4, 0, b"\0\4\0\0\xff\xff" * 2700, stream=False),
}
"""Whether a frame is of the stream, its header without the stream's number, its payload."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of both, and what a client has to trust."""

    honest: str
    flooding: str
    context: ssl.SSLContext


@asynccontextmanager
async def open_servers() -> AsyncIterator[Servers]:
    """Run both while the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_program("benchmarks.http_server", folder) as program:
            with trio.fail_after(START_TIMEOUT):
                honest, flooding = (await program.line()).split()
            context = ssl.create_default_context(cafile=str(Path(folder) / CERTIFICATE))
            yield Servers(honest, flooding, context)


async def behave(exchange: ServerExchange) -> None:
    """Answer 2 KB, or events at the pace of a fast model; those of several streams are not in step."""
    await exchange.body()
    if exchange.path != "/events":
        await exchange.respond(200, body=b"x" * 2000)
        return
    pace = random.Random()
    await exchange.start(200, [("content-type", "text/event-stream")])
    for _ in range(EVENTS):
        await exchange.send(EVENT)
        await trio.sleep(pace.uniform(0.002, 0.006))
    await exchange.finish()


async def flood(exchange: ServerExchange) -> None:
    """Answer the headers, and then send the frame of this path for as long as the client listens."""
    assert isinstance(exchange, Http2Exchange)
    kind = exchange.path[1:]
    of_stream, head, payload = FLOODS[kind]
    stream_id = exchange.stream_id if of_stream else 0
    frames = (head + stream_id.to_bytes(4, "big") + payload) * FRAMES_AT_ONCE
    connection = exchange.connection
    try:
        if "hints" not in kind:
            await exchange.start(200)
        if kind == "unread-ping":
            await trio.sleep(0.1)  # what the connection has to send first is sent
            connection.stall()
            while True:
                await connection.stream.send_all(frames)
        while True:
            await connection.send_raw(frames)
            while connection.unsent > MAX_UNSENT:  # noqa: ASYNC110  # the connection has no event for it
                await trio.sleep(0.001)
    except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError):
        return
    except trio.BusyResourceError:
        await trio.sleep_forever()  # another request of this connection floods it


async def serve(folder: Path) -> None:
    """Serve until killed."""
    authority = make_authority()
    authority.write_ca(folder / CERTIFICATE)
    async with (
        open_server(behave, authority=authority) as honest,
        open_server(flood, authority=authority) as flooding,
    ):
        print(honest.url, flooding.url, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]))
