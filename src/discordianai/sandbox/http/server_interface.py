"""What a handler and a test see of the server, whichever protocol carries the requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import trio

Headers = Iterable[tuple[str, str]]

CLOSE_TIMEOUT = 1.0
"""Seconds that a connection may take to close in order."""


class PeerGone(Exception):
    """The client has reset the stream or closed the connection."""


class ServerExchange(ABC):
    """One request and its response. Its handler is cancelled when the client goes away."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    http_version: str  # "HTTP/2" or "HTTP/1.1"

    async def body(self) -> bytes:
        """The whole of the request's body."""
        chunks = []
        while chunk := await self.receive():
            chunks.append(chunk)
        return b"".join(chunks)

    async def respond(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Send a whole response."""
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        if body:
            await self.send(body)
        await self.finish()

    @abstractmethod
    async def receive(self) -> bytes:
        """The next part of the request's body; empty at its end."""

    @abstractmethod
    async def inform(self, status: int, headers: Headers = ()) -> None:
        """Send an informational response (1xx) before the real one."""

    @abstractmethod
    async def start(self, status: int, headers: Headers = ()) -> None:
        """Send the response's status and headers."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send a part of the response's body, as the client's flow-control windows allow."""

    @abstractmethod
    async def finish(self, trailers: Headers = ()) -> None:
        """End the response."""

    @abstractmethod
    async def reset(self, error_code: int = 2) -> None:
        """Abort the exchange: RST_STREAM in HTTP/2, a cut connection in HTTP/1.1.

        2 is INTERNAL_ERROR.
        """


Handler = Callable[[ServerExchange], Awaitable[None]]
"""Answers one exchange."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the server offers and how it behaves. Sizes are in bytes, times in seconds."""

    alpn: tuple[str, ...] = ("h2", "http/1.1")
    max_concurrent_streams: int = 100
    initial_window_size: int = 65_535
    max_header_list_size: int = 65_536
    answer_pings: bool = True
    refuse_streams: int = 0
    """How many of the first streams get REFUSED_STREAM."""
    handshake_delay: float = 0.0


class ClientConnection(ABC):
    """A client's connection: what the client has done on it, and what a handler can do to it."""

    protocol: str

    def __init__(self, server: Server, stream: trio.abc.Stream) -> None:
        self.server = server
        self.stream = stream
        self.streams_opened = 0
        self.open_streams = 0
        self.resets_received: list[int] = []
        self.pings_received = 0
        self.complaints: list[str] = []
        """The client's protocol errors."""

    @abstractmethod
    async def serve(self) -> None:
        """Serve until the connection ends."""

    async def abort(self) -> None:
        """Cut the connection without TLS's close_notify."""
        await trio.aclose_forcefully(self.stream)


@dataclass(eq=False)
class Server:
    """A running server; made by `open_server`."""

    handler: Handler
    options: ServerOptions
    scheme: str
    port: int = 0
    connections: list[ClientConnection] = field(default_factory=list)
    """The open ones."""
    closed: list[ClientConnection] = field(default_factory=list)
    connections_opened: int = 0

    @property
    def url(self) -> str:
        """Where it listens, as in `https://127.0.0.1:4443`."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def history(self) -> list[ClientConnection]:
        """Every connection so far, closed ones first."""
        return [*self.closed, *self.connections]
