"""Accepts connections, makes TLS, and hands each to the protocol that was agreed on."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http.server_interface import Handler

CLOSE_TIMEOUT = 1.0
"""Seconds that a connection may take to say goodbye."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the server offers and how it behaves. Sizes are in bytes, times in seconds."""

    alpn: tuple[str, ...] = ("h2", "http/1.1")
    max_concurrent_streams: int = 100
    initial_window_size: int = 65_535
    max_header_list_size: int = 65_536
    answer_pings: bool = True
    refuse_streams: int = 0
    """So many of the first streams get REFUSED_STREAM."""
    handshake_delay: float = 0.0


class ClientConnection(ABC):
    """One client's connection, with what it has done and what can be done to it."""

    protocol: str

    def __init__(self, server: Server, stream: trio.abc.Stream) -> None:
        self.server = server
        self.stream = stream
        self.streams_opened = 0
        self.open_streams = 0
        self.resets_received: list[int] = []
        self.pings_received = 0
        self.complaints: list[str] = []
        """How the client has broken the protocol."""

    @abstractmethod
    async def serve(self) -> None:
        """Serve until the connection ends."""

    async def abort(self) -> None:
        """Cut the connection without a word, not even TLS's."""
        await trio.aclose_forcefully(self.stream)


@dataclass(eq=False)
class Server:
    """A running server; made by `open_server`."""

    handler: Handler
    options: ServerOptions
    scheme: str
    port: int = 0
    connections: list[ClientConnection] = field(default_factory=list)
    """Those that are open."""
    closed: list[ClientConnection] = field(default_factory=list)
    connections_opened: int = 0

    @property
    def url(self) -> str:
        """Where it listens, as in `https://127.0.0.1:4443`."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def history(self) -> list[ClientConnection]:
        """Every connection that there was, closed ones first."""
        return [*self.closed, *self.connections]


@asynccontextmanager
async def open_server(
    handler: Handler, *, authority: Authority | None, options: ServerOptions | None = None
) -> AsyncIterator[Server]:
    """Serve on a free port of 127.0.0.1 while the block runs; without an `authority`, in plain HTTP/1.1."""
    options = options or ServerOptions()
    context = authority.server_context(options.alpn) if authority else None
    server = Server(handler, options, "https" if authority else "http")
    async with trio.open_nursery() as nursery:

        async def accept(stream: trio.SocketStream) -> None:
            await _serve(server, stream, context)

        (listener,) = await nursery.start(partial(trio.serve_tcp, accept, 0, host="127.0.0.1"))
        server.port = listener.socket.getsockname()[1]
        yield server
        nursery.cancel_scope.cancel()


async def _serve(server: Server, tcp: trio.SocketStream, context: ssl.SSLContext | None) -> None:
    stream: trio.abc.Stream = tcp
    protocol = None
    server.connections_opened += 1
    await trio.sleep(server.options.handshake_delay)
    try:
        if context is not None:
            tls = trio.SSLStream(tcp, context, server_side=True, https_compatible=True)
            await tls.do_handshake()
            protocol, stream = tls.selected_alpn_protocol(), tls
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        await trio.aclose_forcefully(tcp)
        return
    connection = _connection(server, stream, protocol)
    server.connections.append(connection)
    try:
        await connection.serve()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # the client went away, or a handler cut the connection
    finally:
        server.connections.remove(connection)
        server.closed.append(connection)
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True), suppress(trio.BrokenResourceError):
            await stream.aclose()


def _connection(server: Server, stream: trio.abc.Stream, protocol: str | None) -> ClientConnection:
    from discordianai.sandbox.http.http1_server import Http1Connection
    from discordianai.sandbox.http.http2_server import Http2Connection

    return (Http2Connection if protocol == "h2" else Http1Connection)(server, stream)
