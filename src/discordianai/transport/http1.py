"""HTTP/1.1, for origins that don't speak HTTP/2: httpx's own transport, and who needs it."""

import ssl
import time
from collections.abc import AsyncIterator, Callable

import httpx

from discordianai.transport.records import Origin, PoolOptions

REMEMBERED = 600.0
"""Seconds until an origin that spoke HTTP/1.1 is asked again: a server may have been upgraded."""


class Http1Fallback:
    """Its connections are made by the first request, within limits of their own."""

    def __init__(self, options: PoolOptions, make_context: Callable[[], ssl.SSLContext]) -> None:
        self._limits = options.limits
        self._make_context = make_context
        self._lane: _Lane | None = None
        self._retired: list[_Lane] = []
        self._known: dict[Origin, float] = {}

    @property
    def in_flight(self) -> int:
        """Requests whose responses are not closed yet."""
        return sum(lane.in_flight for lane in self._lanes)

    @property
    def _lanes(self) -> "list[_Lane]":
        return [*self._retired, self._lane] if self._lane is not None else self._retired

    @property
    def origins(self) -> list[Origin]:
        """Those that are known to speak HTTP/1.1 only."""
        return list(self._known)

    def adopt(self, options: PoolOptions) -> None:
        """Keep to these limits from now on: with other connections, since httpx's cannot be told others."""
        if options.limits == self._limits:
            return
        self._limits = options.limits
        if self._lane is not None:
            self._retired.append(self._lane)
            self._lane = None

    def remember(self, origin: Origin) -> None:
        """This one speaks HTTP/1.1."""
        self._known[origin] = time.monotonic() + REMEMBERED

    def knows(self, origin: Origin) -> bool:
        """Whether `origin` is to be spoken to in HTTP/1.1."""
        until = self._known.get(origin)
        if until is not None and until < time.monotonic():
            del self._known[origin]
            return False
        return until is not None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request this way. Raises `httpx.TransportError`."""
        await self._close_retired()
        if self._lane is None:
            self._lane = _Lane(
                httpx.AsyncHTTPTransport(
                    http2=False, limits=self._limits, verify=self._make_context(), trust_env=False
                )
            )
        return await self._lane.send(request)

    async def _close_retired(self) -> None:
        """Those that nothing is in flight on any more."""
        done = [lane for lane in self._retired if not lane.in_flight]
        self._retired = [lane for lane in self._retired if lane.in_flight]
        for lane in done:
            await lane.transport.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        for lane in self._lanes:
            await lane.transport.aclose()


class _Lane:
    """httpx's connections within one set of limits, and how many requests are on them."""

    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self.transport = transport
        self.in_flight = 0

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request this way. Raises `httpx.TransportError`."""
        self.in_flight += 1
        try:
            response = await self.transport.handle_async_request(request)
        except BaseException:
            self.in_flight -= 1
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # for mypy
        response.stream = _Counted(response.stream, self._closed)
        return response

    def _closed(self) -> None:
        self.in_flight -= 1


class _Counted(httpx.AsyncByteStream):
    """A response's body that says when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, closed: Callable[[], None]) -> None:
        self._stream = stream
        self._closed: Callable[[], None] | None = closed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        if self._closed is not None:
            self._closed()
            self._closed = None
        await self._stream.aclose()
