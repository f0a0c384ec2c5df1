"""Whether a server can be reached at all: name, TCP, TLS and the protocol, by the pool's own way of dialling.

What httpx says of a connection that failed is one word. The reason is known here.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute

from discordianai.operations.checks.environment import without_password
from discordianai.transport.clients import CONNECT_TIMEOUT
from discordianai.transport.dialing import ProxyFailed, TlsDial
from discordianai.transport.pool_events import Origin
from discordianai.transport.proxy_rules import Proxies

PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection that could be made, in so many seconds. Over plain TCP, `tls` and `protocol` are None."""

    seconds: float
    tls: str | None = None
    protocol: str | None = None


class Unreachable(Exception):
    """A connection could not be made. The text says why, `advice` what helps."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.advice = advice


async def reach(url: str, context: ssl.SSLContext, proxies: Proxies | None = None) -> Connected:
    """Connect to where `url` leads, and leave: to the proxy, where plain http goes through one.

    Raises `Unreachable`.
    """
    parts = urlsplit(url)
    origin = Origin(parts.hostname or "", parts.port or PORTS[parts.scheme])
    began = perf_counter()
    try:
        with anyio.fail_after(CONNECT_TIMEOUT):
            if parts.scheme in {"https", "wss"}:
                stream, protocol = await TlsDial(context, proxies)(origin)
            else:
                stream, protocol = await TlsDial(context, proxies).plain(parts.scheme, origin), None
        seconds = perf_counter() - began
    except TimeoutError:
        raise Unreachable(
            f"{origin} does not take a connection within {CONNECT_TIMEOUT:g} s",
            "check the network, the firewall and the proxy (HTTPS_PROXY)",
        ) from None
    except UnicodeError:  # no name can be like that
        raise _unreachable(origin, socket.gaierror()) from None
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise _unreachable(origin, next(_leaves(error))) from None
    try:
        return Connected(seconds, _tls_version(stream), protocol)
    finally:
        await anyio.aclose_forcefully(stream)


def address(url: str) -> str:
    """For a person: where it leads, without what may be a password."""
    return without_password(url).partition("://")[2]


def _tls_version(stream: ByteStream) -> str | None:
    version: str | None = stream.extra(TLSAttribute.tls_version, None)  # noqa: S610  # not Django's
    return version


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors behind one that only sums them up: anyio tries every address of a name."""
    if isinstance(error, BaseExceptionGroup):
        for other in error.exceptions:
            yield from _leaves(other)
    elif error.__cause__ is not None and not isinstance(error, ssl.SSLError):
        yield from _leaves(error.__cause__)
    else:
        yield error


def _unreachable(origin: Origin, error: BaseException) -> Unreachable:
    match error:
        case ProxyFailed():
            return Unreachable(str(error), "check the proxy, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
        case socket.gaierror():
            return Unreachable(f"the name {origin.host} cannot be resolved", "check the address and DNS")
        case ssl.SSLCertVerificationError():
            return Unreachable(
                f"the certificate of {origin} is not trusted: {error.verify_message}",
                "check this machine's clock; for a private authority, point SSL_CERT_FILE at its certificate",
            )
        case ssl.SSLError():
            return Unreachable(
                f"{origin} failed the TLS handshake: {error.reason or 'no reason given'}",
                "check the address, and any proxy or firewall on the way",
            )
        case OSError() if error.errno:
            return Unreachable(
                f"{origin}: {os.strerror(error.errno)}", "check the address, the network and the firewall"
            )
    return Unreachable(f"{origin} closes the connection immediately", "check the address and the firewall")
