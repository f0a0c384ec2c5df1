"""One request and its response, as a handler sees them, whichever protocol carries them."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable

Headers = Iterable[tuple[str, str]]


class PeerGone(Exception):
    """The client has reset the stream or closed the connection."""


class ServerExchange(ABC):
    """A request to be answered by a handler, which is cancelled when its client goes away."""

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
        """The next piece of the request's body; empty at its end."""

    @abstractmethod
    async def inform(self, status: int, headers: Headers = ()) -> None:
        """Send an informational response (1xx) before the real one."""

    @abstractmethod
    async def start(self, status: int, headers: Headers = ()) -> None:
        """Send the response's status and headers."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send a piece of the response's body, as far as the client's windows allow."""

    @abstractmethod
    async def finish(self, trailers: Headers = ()) -> None:
        """End the response."""

    @abstractmethod
    async def reset(self, error_code: int = 2) -> None:
        """Break the exchange off: RST_STREAM in HTTP/2, a cut connection in HTTP/1.1.

        2 is INTERNAL_ERROR.
        """


Handler = Callable[[ServerExchange], Awaitable[None]]
"""Answers one exchange; runs in a task of its own."""
