"""One request on one connection: its stream, its flow-control windows (RFC 9113, 5.2), and all state that
ends with it.

A request that is sent again starts with a new stream, and nothing remains of the former one.
"""

from typing import Protocol

from h2.errors import ErrorCodes

from discordianai.transport.exchange import Exchange
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.uploads import Upload

MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
"""Bytes that may be sent before SETTINGS and WINDOW_UPDATE change it (RFC 9113, 6.9.2)."""


class ReceiveWindow:
    """How much the peer may send.

    Bytes that were read are announced by WINDOW_UPDATE in portions of at least `portion`, so that reading in
    small pieces does not cost a frame for each.
    """

    __slots__ = ("_available", "_consumed", "_portion")

    def __init__(self, size: int, portion: int) -> None:
        self._available = size
        self._portion = portion
        self._consumed = 0
        """Bytes that were read and are not announced yet."""

    def received(self, size: int) -> None:
        """Count received bytes, padding included. Raises `Http2ConnectionError` beyond the window."""
        self._available -= size
        if self._available < 0:
            raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "more data than the window allows")

    def consumed(self, size: int) -> int:
        """Count bytes that were read or discarded. Returns the increment to announce now, or 0."""
        self._consumed += size
        if self._consumed < self._portion:
            return 0
        increment, self._consumed = self._consumed, 0
        self._available += increment
        return increment


class SendWindow:
    """How much this side may send; negative if the server has lowered INITIAL_WINDOW_SIZE."""

    __slots__ = ("available",)

    def __init__(self, available: int) -> None:
        self.available = available

    def enlarge(self, increment: int) -> bool:
        """Whether the window is still within the allowed maximum."""
        self.available += increment
        return self.available <= MAX_WINDOW


class StreamOwner(Protocol):
    """The connection, as a stream sees it. No method waits."""

    def cancel(self, stream: "Stream") -> None:
        """Nobody waits for the response any more."""

    def consumed(self, stream: "Stream", size: int) -> None:
        """`size` bytes of the flow-control window were read, or discarded."""


class Stream:
    """The `exchange.ExchangeHandler` of a request, from its submission to a connection until either ends."""

    __slots__ = (
        "_owner",
        "content_length",
        "exchange",
        "headers_received",
        "receive_window",
        "received_length",
        "send_window",
        "stream_id",
        "upload",
    )

    def __init__(self, exchange: Exchange, owner: StreamOwner) -> None:
        self.exchange = exchange
        self.stream_id = 0
        """0 until the stream is opened."""
        self.headers_received = False
        """Whether the final response's headers have come."""
        self.content_length: int | None = None
        """Bytes of content that the response announces."""
        self.received_length = 0
        """Bytes of content so far."""
        self.upload: Upload | None = None
        """What remains to be sent of the request's body."""
        self.send_window: SendWindow
        self.receive_window: ReceiveWindow
        self._owner = owner

    def open(self, stream_id: int, send_window: SendWindow, receive_window: ReceiveWindow) -> None:
        """Its HEADERS are sent now."""
        self.stream_id, self.send_window, self.receive_window = stream_id, send_window, receive_window

    def cancel(self, exchange: Exchange) -> None:  # noqa: ARG002  # there is only one
        """See `exchange.ExchangeHandler`."""
        self._owner.cancel(self)

    def consumed(self, exchange: Exchange, size: int) -> None:  # noqa: ARG002  # there is only one
        """See `exchange.ExchangeHandler`."""
        self._owner.consumed(self, size)
