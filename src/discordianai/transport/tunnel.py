"""Tunnels through an HTTP proxy to an https origin: CONNECT (RFC 9110, 9.3.6) over HTTP/1.1."""

import os
import re
import socket
import ssl
from http import HTTPStatus

import anyio
from anyio.abc import ByteStream

from discordianai.transport.proxy_rules import Proxy

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
