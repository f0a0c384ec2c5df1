"""A TCP relay before a server, which can cut connections, hold bytes back or swallow them."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

import trio

CHUNK = 65_536
"""Bytes that are read at once."""


class Passing(Enum):
    """What happens to the bytes of one direction."""

    ALL = auto()
    HELD = auto()
    """They wait, as on a network that has lost its way; nothing is lost once they pass again."""
    SWALLOWED = auto()
    """They are read and dropped: the connection is of no use from then on."""


@dataclass(eq=False)
class TcpRelay:
    """Listens on `port` of 127.0.0.1. Made by `open_relay`."""

    target: tuple[str, int]
    port: int = 0
    accepting: bool = True
    """Whether new connections are taken; otherwise they are reset at once."""
    to_server: Passing = Passing.ALL
    to_client: Passing = Passing.ALL
    accepted: int = 0
    """Connections so far, without those that were reset at once."""
    _open: set[trio.SocketStream] = field(default_factory=set)
    _changed: trio.Event = field(default_factory=trio.Event)

    def cut(self) -> int:
        """Reset every connection, on both sides; how many streams that were."""
        for stream in self._open:
            _reset_on_close(stream)
            stream.socket.close()
        cut = len(self._open)
        self._open.clear()
        return cut

    def let_pass(self, to_server: Passing = Passing.ALL, to_client: Passing = Passing.ALL) -> None:
        """Change what happens to bytes, those that are held included."""
        self.to_server, self.to_client = to_server, to_client
        self._changed.set()
        self._changed = trio.Event()

    async def serve(self, client: trio.SocketStream) -> None:
        """Relay one connection until either side ends it."""
        try:
            if not self.accepting:
                raise ConnectionRefusedError
            self.accepted += 1
            async with await trio.open_tcp_stream(*self.target) as server:
                await self._relay(client, server)
        except OSError:
            _reset_on_close(client)

    async def _relay(self, client: trio.SocketStream, server: trio.SocketStream) -> None:
        pair = {client, server}
        self._open |= pair
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._copy, client, server, "to_server", nursery.cancel_scope)
                nursery.start_soon(self._copy, server, client, "to_client", nursery.cancel_scope)
        finally:
            self._open -= pair

    async def _copy(
        self, source: trio.SocketStream, to: trio.SocketStream, way: str, scope: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(CHUNK):
                while getattr(self, way) is Passing.HELD:
                    await self._changed.wait()
                if getattr(self, way) is Passing.ALL:
                    await to.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()


@asynccontextmanager
async def open_relay(port: int, host: str = "127.0.0.1") -> AsyncIterator[TcpRelay]:
    """Relay to that server while the block runs."""
    relay = TcpRelay((host, port))
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, relay.serve, 0, host="127.0.0.1"))
        relay.port = listeners[0].socket.getsockname()[1]
        yield relay
        nursery.cancel_scope.cancel()


def _reset_on_close(stream: trio.SocketStream) -> None:
    """Closing it sends RST, not FIN."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
