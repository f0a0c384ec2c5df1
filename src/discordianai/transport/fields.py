"""Header fields of HTTP/2 (RFC 9113, 8.2 and 8.3) and their compression (HPACK, RFC 7541).

Requests are checked strictly: what is malformed is not sent. Responses are read tolerantly where it is
harmless: connection-specific fields, upper-case names and surrounding whitespace come from gateways that
translate HTTP/1.1. What could be read in two ways is an error of its stream.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import hpack
import httpx
from h2.errors import ErrorCodes
from hpack import NeverIndexedHeaderTuple

from discordianai.transport.exchange import RawHeaders
from discordianai.transport.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    Frame,
    Http2ConnectionError,
    Http2StreamError,
    field_block,
)

MAX_HEADER_LIST = 65_536
"""Bytes of a decoded header list, and of its compressed block, that are accepted."""

HeaderList = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class FieldBlock:
    """A field block, as far as it has come."""

    stream_id: int
    end_stream: bool
    data: bytearray = field(default_factory=bytearray)


class FieldBlockCodec:
    """Decodes every block, even of closed streams: each one changes the table of the next (RFC 9113, 4.3)."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(MAX_HEADER_LIST)
        self._encoder = hpack.Encoder()
        self.incomplete: FieldBlock | None = None
        """The block that CONTINUATION frames are still expected for."""

    def interrupted_by(self, frame: Frame) -> bool:
        """Whether `frame` is out of place between a block's frames (RFC 9113, 6.10)."""
        if self.incomplete is None:
            return frame.kind == CONTINUATION
        return frame.kind != CONTINUATION or frame.stream_id != self.incomplete.stream_id

    def add(self, frame: Frame) -> tuple[FieldBlock, HeaderList] | None:
        """Take a HEADERS or CONTINUATION frame. Returns the block and its header list once it is complete.

        Raises `Http2ConnectionError`.
        """
        if self.incomplete is None:
            block = FieldBlock(frame.stream_id, bool(frame.flags & END_STREAM))
            block.data += field_block(frame)
        else:
            block = self.incomplete
            block.data += frame.payload
        if len(block.data) > MAX_HEADER_LIST:
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, "a field block that does not end")
        if not frame.flags & END_HEADERS:
            self.incomplete = block
            return None
        self.incomplete = None
        return block, self._decode(bytes(block.data))

    def encode(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The field block of these headers."""
        return self._encoder.encode(headers)

    def set_table_size(self, size: int) -> None:
        """Limit the encoder's dynamic table to `size` bytes."""
        if self._encoder.header_table_size != size:
            self._encoder.header_table_size = size

    def _decode(self, block: bytes) -> HeaderList:
        try:
            return [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except hpack.OversizedHeaderListError:
            why = f"headers of more than {MAX_HEADER_LIST} bytes"
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, why) from None
        except (hpack.HPACKError, IndexError, ValueError) as error:
            why = f"headers that cannot be decoded ({type(error).__name__})"
            raise Http2ConnectionError(ErrorCodes.COMPRESSION_ERROR, why) from None


CONNECTION_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings"}
)
"""Connection-specific fields, which HTTP/2 forbids (RFC 9113, 8.2.2)."""

NOT_SENT = CONNECTION_FIELDS | {b"host"}
"""`host` becomes `:authority`."""

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
"""A field name in lower case (RFC 9110, 5.6.2)."""

METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
STATUS = re.compile(rb"[1-9][0-9][0-9]").fullmatch
LINE_BREAK = re.compile(rb"[\0\r\n]").search
WHITESPACE = b" \t"

SECRET = re.compile(rb"authorization|cookie|key|secret|token").search
"""In names of fields that are never indexed by the compression (RFC 7541, 7.1.3)."""

CONTROL = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]").search
"""Behind a proxy that speaks HTTP/1.1, a line break in a value would begin another field."""

NOT_IN_AUTHORITY = re.compile(rb"[\0-\x20\x7f-\xff/\\?#@]").search
NO_CONTENT = frozenset({204, 304})
SWITCHING_PROTOCOLS = 101


def request_headers(request: httpx.Request) -> RawHeaders:
    """The header list of `request`, pseudo-headers first.

    Raises `httpx.LocalProtocolError` if it would be malformed.
    """
    url, method = request.url, request.method.encode("ascii", "replace")
    if method == b"CONNECT" or not METHOD(method):
        raise httpx.LocalProtocolError(f"the method {request.method!r} is not supported over HTTP/2")
    headers: RawHeaders = [
        (b":method", method),
        (b":authority", url.netloc),
        (b":scheme", url.raw_scheme),
        (b":path", url.raw_path or b"/"),
    ]
    for raw_name, raw_value in request.headers.raw:
        name, value = raw_name.lower(), raw_value.strip(WHITESPACE)
        if not TOKEN(name):
            raise httpx.LocalProtocolError(f"{raw_name[:40]!r} is not a valid header name")
        if CONTROL(value):
            raise httpx.LocalProtocolError(f"the header {raw_name[:40]!r} contains a control character")
        if name == b"host":
            headers[1] = (b":authority", value)
        elif SECRET(name):
            headers.append(NeverIndexedHeaderTuple(name, value))
        elif name not in NOT_SENT and (name != b"te" or value.lower() == b"trailers"):
            headers.append((name, value))
    if NOT_IN_AUTHORITY(headers[1][1]):
        raise httpx.LocalProtocolError("the host of the request is not valid")
    return headers


@dataclass(frozen=True, slots=True)
class Response:
    """`length` is the value of content-length, None without one."""

    status: int
    headers: RawHeaders
    length: int | None

    @property
    def informational(self) -> bool:
        """Whether the final response is still to come."""
        return self.status < 200

    def content_length(self, method: bytes) -> int | None:
        """Bytes of content to expect: `length`, or 0 if the response has none (RFC 9110, 6.4.1)."""
        return 0 if method == b"HEAD" or self.status in NO_CONTENT else self.length


def parse_response(block: Iterable[tuple[bytes, bytes]]) -> Response:
    """The response that a header list begins. Raises `Http2StreamError` if it is malformed."""
    fields = list(block)
    if not fields or fields[0][0] != b":status":
        raise _malformed("a response that does not begin with its status")
    value = bytes(fields[0][1])
    if not STATUS(value) or int(value) == SWITCHING_PROTOCOLS:
        raise _malformed(f"a response with the status {value[:10]!r}")
    headers = parse_trailers(fields[1:])
    return Response(int(value), headers, _length(headers))


def parse_trailers(block: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Fields without pseudo-headers. Raises `Http2StreamError` if one is malformed."""
    headers: RawHeaders = []
    for raw_name, raw_value in block:
        name, value = bytes(raw_name), bytes(raw_value)
        if not TOKEN(name):
            name = name.lower()
            if not TOKEN(name):
                raise _malformed(f"the header name {name[:40]!r}")
        if name in CONNECTION_FIELDS:
            continue
        if LINE_BREAK(value):
            raise _malformed(f"a line break in the header {name[:40]!r}")
        headers.append((name, value.strip(WHITESPACE)))
    return headers


def _length(headers: RawHeaders) -> int | None:
    values = {
        part.strip(WHITESPACE)
        for name, value in headers
        if name == b"content-length"
        for part in value.split(b",")
    }
    if not values:
        return None
    length = values.pop()
    if values or not length.isdigit() or len(length) > 18:
        raise _malformed("a content-length that is not a number")
    return int(length)


def _malformed(why: str) -> Http2StreamError:
    return Http2StreamError(ErrorCodes.PROTOCOL_ERROR, why)
