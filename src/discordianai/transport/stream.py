"""One request on one connection. It ends with either, and what belongs to a connection is kept here only."""

from typing import Protocol

from discordianai.transport.exchange import Exchange
from discordianai.transport.uploads import Upload
from discordianai.transport.windows import ReceiveWindow, SendWindow


class Streams(Protocol):
    """The connection's side of a placement. No method waits."""

    def leave(self, placement: "Placement") -> None:
        """Nobody waits for the answer any more."""

    def read(self, placement: "Placement", size: int) -> None:
        """`size` bytes of the flow-control window were read, or given up."""


class Placement:
    """Holds an exchange (see `exchange.Holder`) from its submission until the connection is done with it."""

    __slots__ = (
        "_streams",
        "exchange",
        "expected",
        "got",
        "receive",
        "send",
        "started",
        "stream_id",
        "upload",
    )

    def __init__(self, exchange: Exchange, streams: Streams) -> None:
        self.exchange = exchange
        self.stream_id = 0
        """0 until the stream is opened."""
        self.started = False
        """Whether the final status has come."""
        self.expected: int | None = None
        """Bytes that content-length announces."""
        self.got = 0
        self.upload: Upload | None = None
        """What is still to be sent."""
        self.send: SendWindow
        self.receive: ReceiveWindow
        self._streams = streams

    def open(self, stream_id: int, send: SendWindow, receive: ReceiveWindow) -> None:
        """It has a stream now."""
        self.stream_id, self.send, self.receive = stream_id, send, receive

    def abandon(self, exchange: Exchange) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.Holder`."""
        self._streams.leave(self)

    def consumed(self, exchange: Exchange, size: int) -> None:  # noqa: ARG002  # it holds one
        """See `exchange.Holder`."""
        self._streams.read(self, size)
