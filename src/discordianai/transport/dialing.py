"""Opens connections: TCP, TLS and their protocol (ALPN), tunnels through a proxy, and how soon after a
failure.

An attempt has failed if it was refused, could not resolve its host, was closed or sent GOAWAY at once,
allowed no streams or broke the protocol. Until a connection has brought a response, attempts are made one at
a time, with exponential backoff and jitter.
"""

import math
import os
import random
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSAttribute, TLSStream

from discordianai.transport.exchange import DeadlineWatcher
from discordianai.transport.pool_events import Origin
from discordianai.transport.proxy_rules import Proxies, Proxy
from discordianai.transport.tracing import ConnectTraces

INITIAL_CONNECT_DELAY = 0.1
MAX_CONNECT_DELAY = 3.0
"""Seconds; less than the pool timeout, so that every waiting request sees at least one attempt."""

MAX_CONNECT_EXPONENT = 10


class ConnectBackoff:
    """`due` is called when an attempt that had to wait may be made."""

    def __init__(self, deadlines: DeadlineWatcher, due: Callable[[], None]) -> None:
        self.deadline = math.inf
        self.attempt = 0
        """The number of the current attempt; connections that are opened together share it."""
        self._deadlines = deadlines
        self._due = due
        self._failures = 0
        self._not_before = 0.0

    def allowed(self, connecting: int) -> bool:
        """Whether a connection may be opened while `connecting` are; if not, `due` is called later."""
        if not self._failures:
            return True
        if connecting:
            return False  # their outcome decides
        if anyio.current_time() >= self._not_before:
            return True
        self.deadline = self._not_before
        self._deadlines.watched.add(self)
        self._deadlines.reschedule(self.deadline)
        return False

    def failed(self, attempt: int) -> None:
        """A connection of that attempt has failed."""
        if attempt < self.attempt:
            return  # others of the same attempt were counted
        self.attempt += 1
        delay = min(INITIAL_CONNECT_DELAY * 2**self._failures, MAX_CONNECT_DELAY)
        self._failures = min(self._failures + 1, MAX_CONNECT_EXPONENT)
        # Jitter keeps many clients of one server from coming back at once; no secret depends on it.
        self._not_before = anyio.current_time() + delay * random.uniform(0.5, 1)  # noqa: S311  # see above

    def succeeded(self) -> None:
        """A response has come."""
        self._failures = 0

    def close(self) -> None:
        """No more attempts."""
        self.deadline = math.inf
        self._deadlines.watched.discard(self)

    def deadline_passed(self) -> None:
        """See `exchange.HasDeadline`."""
        self.close()
        self._due()


MAX_HEAD = 16_384
"""Bytes of the proxy's response, at most."""

INFORMATIONAL = (b"HTTP/1.1 1", b"HTTP/1.0 1")
"""The beginning of an interim response, which another one follows (RFC 9110, 15.2)."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")


class ProxyFailed(OSError):
    """The proxy opens no tunnel. The message gives the reason, and no secret."""


async def open_tunnel(stream: ByteStream, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy at `stream` connect to `host`; `stream` then leads there. Raises `ProxyFailed`."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1".encode("ascii"), b"Host: " + target.encode("ascii")]
    if proxy.authorization is not None:
        lines.append(b"Proxy-Authorization: " + proxy.authorization)
    try:
        await stream.send(b"\r\n".join([*lines, b"", b""]))
        head, rest = await _answer(stream, proxy, b"")
        while head.startswith(INFORMATIONAL):
            head, rest = await _answer(stream, proxy, rest)
    except (anyio.BrokenResourceError, anyio.EndOfStream, OSError) as error:
        if isinstance(error, ProxyFailed):
            raise
        why = f"the proxy {proxy} closes the connection instead of an answer to CONNECT"
        raise ProxyFailed(why) from None
    status = _STATUS.match(head)
    if status is None:
        raise ProxyFailed(f"the proxy {proxy} does not speak HTTP/1.1")
    if not status[1].startswith(b"2"):
        raise ProxyFailed(f"the proxy {proxy} answers CONNECT with {_phrase(int(status[1]))}")
    if rest:  # a TLS server never sends first
        raise ProxyFailed(f"the proxy {proxy} sends more than an answer to CONNECT")


async def _answer(stream: ByteStream, proxy: Proxy, data: bytes) -> tuple[bytes, bytes]:
    """Status line and headers of a response that begins with `data`, and the rest."""
    while b"\r\n\r\n" not in data:
        if len(data) > MAX_HEAD:
            raise ProxyFailed(f"the proxy {proxy} answers CONNECT without an end")
        data += await stream.receive()
    head, end, rest = data.partition(b"\r\n\r\n")
    return head + end, rest


def _phrase(status: int) -> str:
    """A status with its standard phrase: the proxy's own may be anything."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def unreachable(proxy: Proxy, error: Exception) -> ProxyFailed:
    """Why the proxy itself cannot be reached."""
    leaf: BaseException = error
    while leaf.__cause__ is not None and not isinstance(leaf, ssl.SSLError):
        leaf = leaf.__cause__
        if isinstance(leaf, BaseExceptionGroup):  # anyio has tried every address of a name
            leaf = leaf.exceptions[0]
    match leaf:
        case socket.gaierror() | UnicodeError():
            why = "its name is not known"
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted: {leaf.verify_message}"
        case ssl.SSLError():
            why = f"it does not agree on TLS: {leaf.reason or 'no reason given'}"
        case OSError() if leaf.errno:
            why = os.strerror(leaf.errno)
        case _:
            why = "it closes the connection at once"
    return ProxyFailed(f"the proxy {proxy} cannot be reached: {why}")


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
