"""From httpx's requests to the headers of HTTP/2."""

import re

import httpx
from hpack import NeverIndexedHeaderTuple

from discordianai.transport.exchange import RawHeaders
from discordianai.transport.fields import BLANKS, CONNECTION_FIELDS, TOKEN

LEFT_OUT = CONNECTION_FIELDS | {b"host"}
"""RFC 9113, 8.2.2, forbids them, but for `host`, which is `:authority` here."""

SECRET = re.compile(rb"authorization|cookie|key|secret|token").search
"""In names of headers that are kept out of the compression's tables (RFC 7541, 7.1.3)."""

CONTROL = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]").search
"""A line break in a value would become a header of its own behind a proxy that speaks HTTP/1.1."""

NO_AUTHORITY = re.compile(rb"[\0-\x20\x7f-\xff/\\?#@]").search
METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch


def headers_of(request: httpx.Request) -> RawHeaders:
    """The header list of `request`. Raises `httpx.LocalProtocolError` where it would be malformed."""
    url, method = request.url, request.method.encode("ascii", "replace")
    if method == b"CONNECT" or not METHOD(method):
        raise httpx.LocalProtocolError(f"the method {request.method!r} is not supported over HTTP/2 here")
    headers: RawHeaders = [
        (b":method", method),
        (b":authority", url.netloc),
        (b":scheme", url.raw_scheme),
        (b":path", url.raw_path or b"/"),
    ]
    for raw_name, raw_value in request.headers.raw:
        name, value = raw_name.lower(), raw_value.strip(BLANKS)
        if not TOKEN(name):
            raise httpx.LocalProtocolError(f"{raw_name[:40]!r} is no name of a header")
        if CONTROL(value):
            raise httpx.LocalProtocolError(f"the header {raw_name[:40]!r} holds a line break or a null byte")
        if name == b"host":
            headers[1] = (b":authority", value)
        elif SECRET(name):
            headers.append(NeverIndexedHeaderTuple(name, value))
        elif name not in LEFT_OUT and (name != b"te" or value.lower() == b"trailers"):
            headers.append((name, value))
    if NO_AUTHORITY(headers[1][1]):
        raise httpx.LocalProtocolError("the host of a request is none")
    return headers
