"""An honest server, and one that floods: `python -m benchmarks.flooding_server FOLDER`.

It writes the authority's certificate into the folder, prints both addresses, and serves until its input ends.
"""

import sys
from pathlib import Path

import trio

from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.http import PeerGone, ServerExchange, open_server
from discordianai.sandbox.http.http2_server import Http2Exchange

AT_ONCE = 200
"""Frames in one write."""

MOST_UNSENT = 65_536
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
"""Whether a frame is of the stream, its header without the stream, its payload."""


async def flood(exchange: ServerExchange) -> None:
    """Answer the headers, and then say the frame of this path for as long as the client listens."""
    assert isinstance(exchange, Http2Exchange)
    kind = exchange.path[1:]
    of_stream, head, payload = FLOODS[kind]
    stream_id = exchange.stream_id if of_stream else 0
    frame = head + stream_id.to_bytes(4, "big") + payload
    connection = exchange.connection
    try:
        if "hints" not in kind:
            await exchange.start(200)
        if kind == "unread-ping":
            await trio.sleep(0.1)  # what the connection has to say is said
            connection.stall()
            while True:
                await connection.stream.send_all(frame * AT_ONCE)
        while True:
            await connection.send_raw(frame * AT_ONCE)
            while connection.unsent > MOST_UNSENT:  # noqa: ASYNC110  # the connection has no event for it
                await trio.sleep(0.001)
    except (PeerGone, trio.BrokenResourceError, trio.ClosedResourceError):
        return
    except trio.BusyResourceError:
        await trio.sleep_forever()  # another request of this connection floods it


async def answer(exchange: ServerExchange) -> None:
    """Say something."""
    await exchange.respond(200, body=b"x" * 2000)


async def main() -> None:
    """Serve until standard input ends."""
    authority = make_authority()
    authority.write_ca(Path(sys.argv[1]) / "ca.pem")
    async with (
        open_server(answer, authority=authority) as honest,
        open_server(flood, authority=authority) as flooding,
    ):
        print(honest.url, flooding.url, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    trio.run(main)
