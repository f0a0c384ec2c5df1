"""From an origin to a TLS connection that has agreed on a protocol."""

import socket
import ssl
from contextlib import suppress
from typing import Protocol

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSAttribute, TLSStream

from discordianai.transport.records import Origin

PROTOCOLS = ("h2", "http/1.1")
"""What the handshake offers, the better one first."""


MOST_UNSENT = 131_072
"""Bytes that wait in the socket to be sent; more would make a PING wait behind an upload."""


class Dial(Protocol):
    """Opens a connection."""

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        """The connection, and the protocol that the server chose, if it chose one.

        Raises `OSError`, `ssl.SSLError` among them, and anyio's errors of a broken stream.
        """


class TlsDial:
    """Dials over TCP and TLS with `context`, whose offer of protocols it sets."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    async def __call__(self, origin: Origin) -> tuple[ByteStream, str | None]:
        """See `Dial`."""
        tcp = await anyio.connect_tcp(origin.host, origin.port)
        try:
            _keep_queue_short(tcp)
            # Set anew each time: httpcore sets its own offer on a context that it is given too.
            self._context.set_alpn_protocols(PROTOCOLS)
            tls = await TLSStream.wrap(
                tcp,
                hostname=origin.host,
                ssl_context=self._context,
                standard_compatible=False,  # HTTP/2 says itself where it ends
            )
        except BaseException:
            await anyio.aclose_forcefully(tcp)
            raise
        return tls, tls.extra(TLSAttribute.alpn_protocol, None)  # noqa: S610  # not Django's


def _keep_queue_short(tcp: SocketStream) -> None:
    """Have the system take no more than it can soon send, where it knows how."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with suppress(OSError):
            raw = tcp.extra(SocketAttribute.raw_socket)  # noqa: S610  # not Django's
            raw.setsockopt(socket.IPPROTO_TCP, option, MOST_UNSENT)
