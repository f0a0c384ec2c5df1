"""One request on one connection. It ends with either, and what belongs to a connection is kept here only."""

from typing import Protocol

from discordianai.transport.exchange import Exchange
from discordianai.transport.uploads import Upload
from discordianai.transport.windows import ReceiveWindow, SendWindow


class StreamOwner(Protocol):
    """The connection's side of a stream. No method waits."""

    def cancel(self, stream: "Stream") -> None:
        """Nobody waits for the answer any more."""

    def consumed(self, stream: "Stream", size: int) -> None:
        """`size` bytes of the flow-control window were read, or given up."""


class Stream:
    """The `exchange.ExchangeHandler` of a request from its submission to this connection until the end."""

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
        """Whether the final status has come."""
        self.content_length: int | None = None
        """Bytes that content-length announces."""
        self.received_length = 0
        self.upload: Upload | None = None
        """What is still to be sent."""
        self.send_window: SendWindow
        self.receive_window: ReceiveWindow
        self._owner = owner

    def open(self, stream_id: int, send: SendWindow, receive: ReceiveWindow) -> None:
        """It has a stream now."""
        self.stream_id, self.send_window, self.receive_window = stream_id, send, receive

    def cancel(self, exchange: Exchange) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.ExchangeHandler`."""
        self._owner.cancel(self)

    def consumed(self, exchange: Exchange, size: int) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.ExchangeHandler`."""
        self._owner.consumed(self, size)
