"""Request bodies: those in memory, which can be sent again, and those that are read as they are sent."""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

import anyio
import httpx

MAX_BUFFERED = 16 * 2**20
"""Bytes up to which a body of known length is read into memory, so that it can be sent again."""

AHEAD = 65_536
"""Bytes of a streamed body that are read before they can be sent."""

CLOSE_TIMEOUT = 1.0
"""Seconds that a generator has to close when its body is no longer needed."""


class Upload(Protocol):
    """A body that is being sent on one connection."""

    @property
    def starved(self) -> bool:
        """Whether there is nothing to send at the moment, but more will come."""

    def take(self, most: int) -> tuple[bytes, bool]:
        """At most `most` bytes, and whether they are the last."""


class Body(Protocol):
    """The body of a request."""

    @property
    def replayable(self) -> bool:
        """Whether `begin` may be called (again)."""

    def begin(self, more: Callable[[], None]) -> Upload | None:
        """Start to send it. None if it is empty. `more` is called when a starved upload has data again."""

    def stop(self) -> None:
        """The rest is not needed."""


class BufferedBody:
    """A body in memory."""

    replayable = True

    def __init__(self, content: bytes) -> None:
        self._content = content

    def begin(self, more: Callable[[], None]) -> Upload | None:  # noqa: ARG002  # it never starves
        """See `Body`."""
        return _BufferedUpload(self._content) if self._content else None

    def stop(self) -> None:
        """See `Body`."""


class _BufferedUpload:
    starved = False

    def __init__(self, content: bytes) -> None:
        self._rest = memoryview(content)

    def take(self, most: int) -> tuple[bytes, bool]:
        piece, self._rest = bytes(self._rest[:most]), self._rest[most:]
        return piece, not self._rest


class StreamedBody:
    """A body that is read once, a little ahead of what is sent.

    `run` reads it in a task of its own, so that the response can be read before the body ends.
    """

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream
        self._scope = anyio.CancelScope()
        self._begun = anyio.Event()
        self._room = anyio.Event()
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._whole = False
        self._more: Callable[[], None] = _nothing

    # The task's side

    async def run(self, failed: Callable[[Exception], None]) -> None:
        """Read it, from `begin` until it ends or is stopped. Passes what it raises to `failed`."""
        with self._scope:
            await self._begun.wait()
            try:
                await self._read()
            except Exception as error:  # the caller gets whatever its iterator raises
                failed(error)

    async def _read(self) -> None:
        pieces = aiter(self._stream)
        try:
            async for piece in pieces:
                if piece:
                    self._pieces.append(piece)
                    self._size += len(piece)
                    self._more()
                while self._size >= AHEAD:
                    self._room = anyio.Event()
                    await self._room.wait()
            self._whole = True
            self._more()
        finally:
            if isinstance(pieces, AsyncGenerator):
                with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                    await pieces.aclose()

    # The connection's side

    @property
    def replayable(self) -> bool:
        """See `Body`; it can be read only once."""
        return not self._begun.is_set()

    def begin(self, more: Callable[[], None]) -> Upload | None:
        """See `Body`."""
        self._more = more
        self._begun.set()
        return self

    def stop(self) -> None:
        """See `Body`."""
        self._more = _nothing
        self._scope.cancel()

    @property
    def starved(self) -> bool:
        """See `Upload`."""
        return not self._pieces and not self._whole

    def take(self, most: int) -> tuple[bytes, bool]:
        """See `Upload`."""
        taken: list[bytes] = []
        while self._pieces and most:
            piece = self._pieces.popleft()
            if len(piece) > most:
                self._pieces.appendleft(piece[most:])
                piece = piece[:most]
            taken.append(piece)
            most -= len(piece)
        data = b"".join(taken)
        self._size -= len(data)
        if data:
            self._room.set()
        return data, self._whole and not self._pieces


async def body_of(request: httpx.Request) -> BufferedBody | StreamedBody:
    """The body of `request`, read into memory if its length is known and not too large."""
    if isinstance(request.stream, httpx.ByteStream):
        return BufferedBody(await request.aread())
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) <= MAX_BUFFERED:
        return BufferedBody(await request.aread())
    assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101  # httpx's client has checked it
    return StreamedBody(request.stream)


def _nothing() -> None:
    """Nobody waits for data."""
