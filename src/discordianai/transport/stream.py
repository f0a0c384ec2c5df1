"""One request on one connection: its stream, and all state that ends with it.

A request that is sent again starts with a new stream, and nothing remains of the former one.
"""

from typing import Protocol

from discordianai.transport.exchange import Exchange
from discordianai.transport.uploads import Upload
from discordianai.transport.windows import ReceiveWindow, SendWindow


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
