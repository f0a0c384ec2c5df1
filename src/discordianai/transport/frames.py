"""Frames of RFC 9113, 4 and 6: cutting them out of what is received, and writing them.

The connection does not run on the state machine of `h2`. h2 4.4.1 ends a connection for whatever one stream
gets wrong, refuses frames that RFC 9113 (5.1, 6.8) wants ignored or allowed, keeps a second account of the
windows, and takes 13 us for a DATA frame that takes 3 us here. Its HPACK and its tables of codes are used.
"""

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from discordianai.transport.protocol_errors import Http2ConnectionError

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

NAMES = {SETTINGS: "SETTINGS", PING: "PING", GOAWAY: "GOAWAY"}
"""Of those that concern the connection, and never a stream."""

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAME_SIZE = 16_384
"""Bytes of a payload; what this side allows, and the least that every peer allows."""

_HEADER = Struct(">HBBBL")
_SETTING = Struct(">HL")
_LONG = Struct(">L")
_31_BITS = 0x7FFF_FFFF


class Frame(NamedTuple):
    """One frame, of a known type or not."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


class FrameReader:
    """Cuts frames out of the bytes that are received, in whatever pieces those come."""

    def __init__(self) -> None:
        self._data = b""
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._data = self._data[self._position :] + data
        self._position = 0

    def next(self) -> Frame | None:
        """The next whole frame, or None. Raises `Http2ConnectionError` where it is longer than is allowed."""
        data, start = self._data, self._position + _HEADER.size
        if len(data) < start:
            return None
        high, low, kind, flags, stream_id = _HEADER.unpack_from(data, self._position)
        length = high << 8 | low
        if length > MAX_FRAME_SIZE:
            raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
        end = start + length
        if len(data) < end:
            return None
        self._position = end
        return Frame(kind, flags, stream_id & _31_BITS, data[start:end])


def without_padding(frame: Frame) -> bytes:
    """The content of a DATA or HEADERS frame. Raises `Http2ConnectionError` if the padding is too long."""
    payload = frame.payload
    if not frame.flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "padding that is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def header_block(frame: Frame) -> bytes:
    """The fragment of a header block that a HEADERS frame carries. Raises `Http2ConnectionError`."""
    content = without_padding(frame)
    if not frame.flags & HAS_PRIORITY:
        return content
    if len(content) < 5:
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a HEADERS frame without its priority")
    return content[5:]


def number(payload: bytes) -> int:
    """The one 32-bit number of a RST_STREAM or WINDOW_UPDATE frame. Raises `Http2ConnectionError`."""
    if len(payload) != _LONG.size:
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, f"{len(payload)} bytes where 4 belong")
    return int.from_bytes(payload, "big")


def increment_of(payload: bytes) -> int:
    """By how much a WINDOW_UPDATE frame enlarges a window; its first bit is reserved. As above."""
    return number(payload) & _31_BITS


def settings_of(frame: Frame) -> list[tuple[int, int]]:
    """The settings that a SETTINGS frame changes, in their order. Raises `Http2ConnectionError`."""
    payload = frame.payload
    if len(payload) % _SETTING.size or (payload and frame.flags & ACK):
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a SETTINGS frame of an impossible length")
    return list(_SETTING.iter_unpack(payload))


def check_of_connection(frame: Frame) -> None:
    """Raises `Http2ConnectionError` for a frame of a stream that can only be of the connection."""
    if frame.stream_id:
        why = f"{NAMES[frame.kind]} on stream {frame.stream_id}"
        raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, why)


def name_of(code: int) -> str:
    """An error code in words."""
    return ErrorCodes(code).name if code in set(ErrorCodes) else str(code)


# Writing them


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """One frame on the wire."""
    length = len(payload)
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def headers(stream_id: int, block: bytes, max_size: int, *, end_stream: bool) -> bytes:
    """A header block as a HEADERS frame, and as many CONTINUATION frames as it takes."""
    parts = [block[start : start + max_size] for start in range(0, len(block), max_size)] or [b""]
    wire = b""
    for index, part in enumerate(parts):
        flags = END_HEADERS if part is parts[-1] else 0
        if index == 0 and end_stream:
            flags |= END_STREAM
        wire += frame(CONTINUATION if index else HEADERS, flags, stream_id, part)
    return wire


def settings(values: Mapping[SettingCodes, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(code, value) for code, value in values.items()))


def window_update(stream_id: int, increment: int) -> bytes:
    """The frame that lets the peer send `increment` more bytes; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, _LONG.pack(increment))


def rst_stream(stream_id: int, code: int) -> bytes:
    """The frame that ends a stream."""
    return frame(RST_STREAM, 0, stream_id, _LONG.pack(code))


def goaway(code: int) -> bytes:
    """The frame that ends the connection; of the server's own streams none was processed, as it has none."""
    return frame(GOAWAY, 0, 0, _LONG.pack(0) + _LONG.pack(code))
