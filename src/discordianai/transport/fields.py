"""Header fields that were received: from a decoded block to a response, tolerant where nothing is at stake.

Fields of a connection, upper case and surrounding blanks are against RFC 9113 (8.2) and harmless: they come
from gateways that translate HTTP/1.1. What could be read in two ways is a fault of that stream.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from h2.errors import ErrorCodes

from discordianai.transport.exchange import RawHeaders
from discordianai.transport.protocol_errors import Http2StreamError

CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
"""RFC 9113, 8.2.2."""

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
"""A field name in lower case (RFC 9110, 5.6.2)."""

STATUS = re.compile(rb"[1-9][0-9][0-9]").fullmatch
BREAKS = re.compile(rb"[\0\r\n]").search
BLANKS = b" \t"
WITHOUT_CONTENT = frozenset({204, 304})
SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True, slots=True)
class Response:
    """`length` is what content-length announces, None where nothing does."""

    status: int
    headers: RawHeaders
    length: int | None

    @property
    def informational(self) -> bool:
        """Whether the answer is still to come."""
        return self.status < 200

    def content_length(self, method: bytes) -> int | None:
        """Bytes of its DATA frames: `length`, but where it has no content (RFC 9110, 6.4.1)."""
        return 0 if method == b"HEAD" or self.status in WITHOUT_CONTENT else self.length


def response_of(block: Iterable[tuple[bytes, bytes]]) -> Response:
    """The response that a header block begins. Raises `Http2StreamError` where it is malformed."""
    fields = list(block)
    if not fields or fields[0][0] != b":status":
        raise _malformed("a response that does not begin with its status")
    value = bytes(fields[0][1])
    if not STATUS(value) or int(value) == SWITCHING_PROTOCOLS:
        raise _malformed(f"a response with the status {value[:10]!r}")
    headers = trailers_of(fields[1:])
    return Response(int(value), headers, _length(headers))


def trailers_of(block: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Fields without pseudo-headers. Raises `Http2StreamError` where one of them is malformed."""
    headers: RawHeaders = []
    for raw_name, raw_value in block:
        name, value = bytes(raw_name), bytes(raw_value)
        if not TOKEN(name):
            name = name.lower()
            if not TOKEN(name):
                raise _malformed(f"the header name {name[:40]!r}")
        if name in CONNECTION_FIELDS:
            continue
        if BREAKS(value):
            raise _malformed(f"a line break in the header {name[:40]!r}")
        headers.append((name, value.strip(BLANKS)))
    return headers


def _length(headers: RawHeaders) -> int | None:
    announced = {
        part.strip(BLANKS)
        for name, value in headers
        if name == b"content-length"
        for part in value.split(b",")
    }
    if not announced:
        return None
    length = announced.pop()
    if announced or not length.isdigit() or len(length) > 18:
        raise _malformed("a content-length that is no number")
    return int(length)


def _malformed(why: str) -> Http2StreamError:
    return Http2StreamError(ErrorCodes.PROTOCOL_ERROR, why)
