"""Opens TCP and TLS connections, and negotiates their protocol (ALPN)."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSAttribute, TLSStream

from discordianai.transport.pool_events import Origin
from discordianai.transport.proxy_rules import Proxies, Proxy
from discordianai.transport.tracing import ConnectTraces
from discordianai.transport.tunnel import open_tunnel, unreachable

PROTOCOLS = ("h2", "http/1.1")
"""Offered in the TLS handshake, the preferred one first."""


MAX_UNSENT = 131_072
"""Bytes that the socket buffers unsent; with more, a PING would wait behind an upload."""


class Dial(Protocol):
    """Opens a connection."""

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        """The connection, and the protocol that the server selected, if any.

        Raises `OSError`, `ssl.SSLError` and `ProxyFailed` among them, and anyio's errors of a broken stream.
        """


class TlsDial:
    """Dials over TCP and TLS, through a proxy if there is one. It sets the ALPN protocols of `context`."""

    def __init__(
        self,
        context: ssl.SSLContext,
        proxies: Proxies | None = None,
        connect_traces: ConnectTraces | None = None,
    ) -> None:
        self._context = context
        self._proxies = proxies or Proxies()
        self._connect_traces = connect_traces or ConnectTraces()

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        """See `Dial`."""
        proxy = self._proxies.choose("https", origin.host, origin.port)
        host, port = (origin.host, origin.port) if proxy is None else (proxy.host, proxy.port)
        with self._connect_traces.step(origin, "connection.connect_tcp", host=host, port=port) as returned:
            stream = await self._connect(origin, proxy)
            returned.append(stream)
        try:
            if proxy is not None:
                await open_tunnel(stream, proxy, origin.host, origin.port)
            name = origin.server_name or origin.host
            prefix = "connection" if proxy is None else "proxy"
            with self._connect_traces.step(origin, f"{prefix}.start_tls", server_hostname=name) as returned:
                tls = await self._wrap(stream, name, PROTOCOLS)
                returned.append(tls)
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
        return tls, tls.extra(TLSAttribute.alpn_protocol, None)  # noqa: S610  # not Django's

    async def plain(self, scheme: str, origin: Origin) -> ByteStream:
        """A connection without TLS to `origin`, or to its proxy. Raises as `__call__` does."""
        return await self._connect(origin, self._proxies.choose(scheme, origin.host, origin.port))

    async def _connect(self, origin: Origin, proxy: Proxy | None) -> ByteStream:
        if proxy is None:
            return _with_short_queue(await anyio.connect_tcp(origin.host, origin.port))
        try:
            stream = _with_short_queue(await anyio.connect_tcp(proxy.host, proxy.port))
            if proxy.scheme == "http":
                return stream
            try:
                return await self._wrap(stream, proxy.host, ("http/1.1",))
            except BaseException:
                await anyio.aclose_forcefully(stream)
                raise
        except (OSError, UnicodeError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise unreachable(proxy, error) from None

    async def _wrap(self, stream: ByteStream, name: str, protocols: Sequence[str]) -> TLSStream:
        # Each time, as httpcore sets its own protocols on a context that it shares.
        self._context.set_alpn_protocols(protocols)
        return await TLSStream.wrap(
            stream,
            hostname=name,
            ssl_context=self._context,
            standard_compatible=False,  # HTTP delimits its messages itself
        )


def _with_short_queue(tcp: SocketStream) -> SocketStream:
    """Limit what the system buffers unsent, where it supports that."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with suppress(OSError):
            raw = tcp.extra(SocketAttribute.raw_socket)  # noqa: S610  # not Django's
            raw.setsockopt(socket.IPPROTO_TCP, option, MAX_UNSENT)
    return tcp
