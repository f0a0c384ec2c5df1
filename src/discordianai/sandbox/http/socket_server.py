"""Accepts connections, makes TLS, and hands each to the protocol that ALPN has chosen."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http.http1_server import Http1Connection
from discordianai.sandbox.http.http2_server import Http2Connection
from discordianai.sandbox.http.server_interface import (
    CLOSE_TIMEOUT,
    ClientConnection,
    Handler,
    Server,
    ServerOptions,
)


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
    serving = Http2Connection if protocol == "h2" else Http1Connection
    connection: ClientConnection = serving(server, stream)
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
