"""Reads the gateway's messages: HELLO within bounds, and JSON out of frames and a compressed stream."""

import json
import math
from typing import Any, Protocol

from aiohttp import ClientWebSocketResponse, WSMsgType
from interactions.client.errors import WebSocketClosed

from discordianai.discord.gateway.refusals import FINAL_CODES

NO_CODE = 0
"""For a connection that is lost without a close code."""

LONGEST_HEARTBEAT = 600.0
"""Seconds between two heartbeats that a HELLO may ask for; Discord asks for 41."""

LEAST_GAP_OF_HEARTBEATS, MOST_GAP_OF_HEARTBEATS = 0.5, 60.0
"""Seconds between those that are sent. Discord closes a connection that sends more than 120 messages in a
minute; with too few, one that is dead would not be noticed."""

SYNC_FLUSH = b"\x00\x00\xff\xff"
"""Ends each message in the compressed stream."""

LARGEST_MESSAGE = 128 * 2**20
"""Bytes, uncompressed."""

Message = dict[str, Any]
"""As the gateway sends it."""


class SocketClosed(RuntimeError):
    """The WebSocket is closed, with this `code` or `NO_CODE`."""

    def __init__(self, code: int = NO_CODE) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class UnreadableMessage(ValueError):
    """A message that can be told from the next one, but not be read."""


class Inflater(Protocol):
    """As `zlib.decompressobj` makes it: one stream for all messages of a connection."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was left for a further call."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    def decompress(self, packed: bytes | bytearray, most: int, /) -> bytes:
        """At most `most` bytes of what follows. Raises `zlib.error`."""


async def next_message(socket: ClientWebSocketResponse | None, inflater: Inflater) -> Any:
    """The next message. Raises `SocketClosed`, `WebSocketClosed` with a code that no retry gets over,
    `UnreadableMessage`, and for a stream of which nothing more can be read `zlib.error` or `ValueError`.
    """
    packed = bytearray()
    while socket is not None:
        frame = await socket.receive()
        match frame.type:
            case WSMsgType.TEXT:
                return _parsed(frame.data)
            case WSMsgType.BINARY:
                packed += frame.data
                if packed.endswith(SYNC_FLUSH):
                    return _parsed(_unpack(inflater, packed))
                if len(packed) > LARGEST_MESSAGE:
                    raise ValueError("a message without an end")
            case WSMsgType.CLOSE if frame.data in FINAL_CODES:
                raise WebSocketClosed(frame.data)
            case WSMsgType.CLOSE:
                raise SocketClosed(frame.data)
            case _:
                raise SocketClosed
    raise SocketClosed


def hello(message: Any) -> Message:
    """A HELLO with an interval, in milliseconds, that is kept to. Raises `ValueError` where it is none."""
    try:
        seconds = float(message["d"]["heartbeat_interval"]) / 1000
    except (KeyError, TypeError, OverflowError):
        raise ValueError("no HELLO") from None
    if not (math.isfinite(seconds) and 0.0 < seconds <= LONGEST_HEARTBEAT):
        raise ValueError("no HELLO")
    seconds = min(max(seconds, LEAST_GAP_OF_HEARTBEATS), MOST_GAP_OF_HEARTBEATS)
    return {**message, "d": {"heartbeat_interval": seconds * 1000}}


def _unpack(inflater: Inflater, packed: bytearray) -> bytes:
    unpacked = inflater.decompress(packed, LARGEST_MESSAGE)
    if inflater.unconsumed_tail or inflater.eof:
        raise ValueError("too large, or the end of the stream")
    return unpacked


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableMessage from None
