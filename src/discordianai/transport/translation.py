"""From httpx's requests to the headers of HTTP/2."""

import httpx
from hpack import NeverIndexedHeaderTuple

from discordianai.transport.exchange import RawHeaders

CONNECTION_HEADERS = frozenset(
    {
        b"connection",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
    }
    | {b"upgrade"}
)
"""RFC 9113, 8.2.2, forbids them, but for `host`, which is `:authority` here."""

SECRET_HEADERS = frozenset({b"authorization", b"cookie", b"proxy-authorization"})
"""Kept out of the compression's tables (RFC 7541, 7.1.3)."""

FORBIDDEN_BYTES = (b"\r", b"\n", b"\0")


def headers_of(request: httpx.Request) -> RawHeaders:
    """The header list of `request`. Raises `httpx.LocalProtocolError` where it would be malformed."""
    url = request.url
    if request.method == "CONNECT":
        raise httpx.LocalProtocolError("CONNECT is not supported over HTTP/2 here")
    headers: RawHeaders = [
        (b":method", request.method.encode("ascii")),
        (b":authority", request.headers.get("host", url.netloc.decode("ascii")).encode("ascii")),
        (b":scheme", url.raw_scheme),
        (b":path", url.raw_path or b"/"),
    ]
    for raw_name, value in request.headers.raw:
        name = raw_name.lower()
        if name in CONNECTION_HEADERS:
            continue
        pair = NeverIndexedHeaderTuple(name, value) if name in SECRET_HEADERS else (name, value)
        headers.append(pair)
    _check(headers)
    return headers


def _check(headers: RawHeaders) -> None:
    """A line break in a header would become a header of its own behind a proxy that speaks HTTP/1.1."""
    everything = b" ".join([part for header in headers for part in header])
    if any(byte in everything for byte in FORBIDDEN_BYTES):
        raise httpx.LocalProtocolError("a header holds a line break or a null byte")
