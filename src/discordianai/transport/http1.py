"""HTTP/1.1, for origins that don't speak HTTP/2: httpx's own transport, and who needs it."""

import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import anyio
import httpx

from discordianai.transport.background import current_loop, require_loop
from discordianai.transport.exchange import Timeouts
from discordianai.transport.pool_events import Origin, PoolOptions
from discordianai.transport.proxy_rules import Proxies, Proxy

REMEMBERED = 600.0
"""Seconds until an origin that spoke HTTP/1.1 is asked again: a server may have been upgraded."""


class Http1Sender:
    """Its connections are made by the first request, within limits of their own.

    Requests wait for one here: httpx's pool looks at every one that waits, and at every connection, whenever
    one begins or ends, so that a few hundred waiting keep a processor busy and little else is done.
    """

    def __init__(
        self, options: PoolOptions, make_context: Callable[[], ssl.SSLContext], proxies: Proxies
    ) -> None:
        self._keepalive = httpx.Limits(
            max_keepalive_connections=options.max_keepalive, keepalive_expiry=options.keepalive_expiry
        )
        self._room = anyio.CapacityLimiter(options.max_connections)
        self._make_context = make_context
        self._proxies = proxies
        self._transports: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}
        self._closed = False
        self._http1_until: dict[Origin, float] = {}
        self.in_flight = 0
        """Requests whose responses are not closed yet."""

    @property
    def origins(self) -> list[Origin]:
        """Those that are known to speak HTTP/1.1 only."""
        return list(self._http1_until)

    def reconfigure(self, options: PoolOptions) -> None:
        """Have so many connections at most from now on; what is kept idle stays as it was."""
        self._room.total_tokens = options.max_connections

    def remember(self, origin: Origin) -> None:
        """This one speaks HTTP/1.1."""
        self._http1_until[origin] = time.monotonic() + REMEMBERED

    def knows(self, origin: Origin) -> bool:
        """Whether `origin` is to be spoken to in HTTP/1.1."""
        until = self._http1_until.get(origin)
        if until is not None and until < time.monotonic():
            del self._http1_until[origin]
            return False
        return until is not None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request this way. Raises `httpx.TransportError`."""
        token = object()  # not the request, which may be sent twice at once
        self.in_flight += 1
        try:
            await self._wait_for_room(request, token)
        except BaseException:
            self.in_flight -= 1
            raise
        try:
            if self._closed:  # while it waited
                raise httpx.ConnectError("the transport was closed", request=request)
            response = await self._transport(request.url).handle_async_request(request)
        except BaseException:
            self._ended(token)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # for mypy
        response.stream = _Counted(response.stream, partial(self._ended, token), current_loop())
        return response

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        """The one that leads there, directly or through a proxy."""
        proxy = self._proxies.choose(url.scheme, url.raw_host.decode("ascii"), url.port)
        if proxy not in self._transports:
            # Each has a context of its own, unless it was given: httpcore sets an offer of protocols on it.
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                http2=False,
                limits=self._keepalive,
                verify=self._make_context(),
                trust_env=False,
                proxy=None if proxy is None else self._as_httpx_has_it(proxy),
            )
        return self._transports[proxy]

    def _as_httpx_has_it(self, proxy: Proxy) -> httpx.Proxy:
        context = self._make_context() if proxy.scheme == "https" else None
        return httpx.Proxy(str(proxy), auth=proxy.credentials, ssl_context=context)

    async def _wait_for_room(self, request: httpx.Request, token: object) -> None:
        timeout = Timeouts.of(request.extensions).pool
        try:
            self._room.acquire_on_behalf_of_nowait(token)
        except anyio.WouldBlock:
            pass
        else:
            return
        try:
            with anyio.fail_after(timeout):
                await self._room.acquire_on_behalf_of(token)
        except TimeoutError:
            raise httpx.PoolTimeout("every HTTP/1.1 connection is in use", request=request) from None

    def _ended(self, token: object) -> None:
        self.in_flight -= 1
        self._room.release_on_behalf_of(token)

    async def aclose(self) -> None:
        """Close its connections."""
        self._closed = True
        for transport in self._transports.values():
            await transport.aclose()


class _Counted(httpx.AsyncByteStream):
    """A response's body that says when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, closed: Callable[[], None], loop: object) -> None:
        self._stream = stream
        self._loop = loop
        self._closed: Callable[[], None] | None = closed

    def __aiter__(self) -> AsyncIterator[bytes]:
        require_loop(self._loop)
        return aiter(self._stream)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._closed is not None:
                closed, self._closed = self._closed, None
                closed()
