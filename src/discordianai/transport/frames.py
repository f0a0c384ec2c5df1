"""HTTP/2 frames and errors (RFC 9113, 4 to 6): parsing and serializing them.

The state machine of `h2` is not used. h2 4.4.1 ends the connection for an error of one stream, refuses frames
that RFC 9113 (5.1, 6.8) wants ignored or allowed, tracks the windows a second time, and takes 13 us for a
DATA frame that takes 3 us here. Its HPACK and its tables of codes are used.
"""

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from h2.errors import ErrorCodes
from h2.settings import SettingCodes


class Http2StreamError(Exception):
    """One stream is reset with `code`; the others go on."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


class Http2ConnectionError(Exception):
    """The connection cannot be used any more: it is closed by a GOAWAY with `code`."""

    def __init__(self, code: ErrorCodes, why: str) -> None:
        super().__init__(why)
        self.code = code


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

NAMES = {SETTINGS: "SETTINGS", PING: "PING", GOAWAY: "GOAWAY"}
"""Of frames that concern the connection, never a stream."""

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_FRAME_SIZE = 16_384
"""Bytes of a payload that this side allows: the protocol's minimum."""

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
    """Splits received bytes into frames, however they are cut."""

    def __init__(self) -> None:
        self._data = b""
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._data = self._data[self._position :] + data
        self._position = 0

    def next(self) -> Frame | None:
        """The next complete frame, or None. Raises `Http2ConnectionError` if it is too long."""
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


def field_block(frame: Frame) -> bytes:
    """The fragment of a field block in a HEADERS frame. Raises `Http2ConnectionError`."""
    content = without_padding(frame)
    if not frame.flags & HAS_PRIORITY:
        return content
    if len(content) < 5:
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a HEADERS frame that is too short")
    return content[5:]


def uint32(payload: bytes) -> int:
    """A payload of one 32-bit number, as of RST_STREAM. Raises `Http2ConnectionError`."""
    if len(payload) != _LONG.size:
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, f"{len(payload)} bytes instead of 4")
    return int.from_bytes(payload, "big")


def uint31(payload: bytes) -> int:
    """The same without its first, reserved bit, as of WINDOW_UPDATE."""
    return uint32(payload) & _31_BITS


def settings_of(frame: Frame) -> list[tuple[int, int]]:
    """Identifiers and values in a SETTINGS frame, in order. Raises `Http2ConnectionError`."""
    payload = frame.payload
    if len(payload) % _SETTING.size or (payload and frame.flags & ACK):
        raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a SETTINGS frame of an invalid length")
    return list(_SETTING.iter_unpack(payload))


def require_stream_zero(frame: Frame) -> None:
    """Raise `Http2ConnectionError` if a frame of the connection names a stream."""
    if frame.stream_id:
        why = f"{NAMES[frame.kind]} on stream {frame.stream_id}"
        raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, why)


def name_of(code: int) -> str:
    """The name of an error code."""
    return ErrorCodes(code).name if code in set(ErrorCodes) else str(code)


# Serializing


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """One frame, serialized."""
    length = len(payload)
    return _HEADER.pack(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def headers(stream_id: int, block: bytes, max_size: int, *, end_stream: bool) -> bytes:
    """A field block as one HEADERS frame and as many CONTINUATION frames as it needs."""
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
    """A WINDOW_UPDATE frame, in bytes; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, _LONG.pack(increment))


def rst_stream(stream_id: int, code: int) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, _LONG.pack(code))


def goaway(code: int) -> bytes:
    """A GOAWAY frame; its last stream identifier is 0, as the server opens no streams."""
    return frame(GOAWAY, 0, 0, _LONG.pack(0) + _LONG.pack(code))
