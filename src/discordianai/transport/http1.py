"""HTTP/1.1, for plain http and for origins without HTTP/2: httpx's own transport, with limits of its own."""

import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Protocol, cast

import anyio
import httpx

from discordianai.transport.background import current_loop, require_loop
from discordianai.transport.exchange import Timeouts
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import Origin
from discordianai.transport.proxy_rules import Proxies, Proxy
from discordianai.transport.tracing import Info, Trace

REMEMBERED = 600.0
"""Seconds until HTTP/2 is tried again with an origin that spoke HTTP/1.1: it may have been upgraded."""

CLOSE_TIMEOUT = 1.0
"""Seconds that closing one connection may take."""


class AsyncCloseable(Protocol):
    """A stream of httpcore."""

    async def aclose(self) -> None:
        """Close it. Safe to repeat."""


class Http1Sender:
    """Sends requests over HTTP/1.1, and remembers which origins need it.

    Requests wait for a connection here, not in httpx's pool. That one goes through all waiting requests and
    all connections whenever a request begins or ends: a few hundred waiting keep a processor busy.
    """

    def __init__(
        self, options: PoolOptions, make_context: Callable[[], ssl.SSLContext], proxies: Proxies
    ) -> None:
        self._keepalive = httpx.Limits(
            max_keepalive_connections=options.max_keepalive, keepalive_expiry=options.keepalive_expiry
        )
        self._limiter = anyio.CapacityLimiter(options.max_connections)
        self._make_context = make_context
        self._proxies = proxies
        self._transports: dict[Proxy | None, httpx.AsyncHTTPTransport] = {}
        self._closed = False
        self._http1_until: dict[Origin, float] = {}
        self._sending: set[anyio.CancelScope] = set()
        """Of requests without a response yet."""
        self.in_flight = 0
        """Requests whose responses are not closed yet."""

    @property
    def origins(self) -> list[Origin]:
        """Those that are known to speak only HTTP/1.1."""
        return list(self._http1_until)

    def reconfigure(self, options: PoolOptions) -> None:
        """Apply `max_connections`; what is kept idle stays as it was."""
        self._limiter.total_tokens = options.max_connections

    def remember(self, origin: Origin) -> None:
        """Send requests to this origin over HTTP/1.1 for a while."""
        self._http1_until[origin] = time.monotonic() + REMEMBERED

    def knows(self, origin: Origin) -> bool:
        """Whether requests to `origin` go over HTTP/1.1."""
        until = self._http1_until.get(origin)
        if until is not None and until < time.monotonic():
            del self._http1_until[origin]
            return False
        return until is not None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises `httpx.TransportError`."""
        if self._closed:
            raise httpx.ConnectError("the transport was closed", request=request)
        token = object()  # not the request, which may be sent twice at once
        failure: type[httpx.TransportError] = httpx.ConnectError
        with anyio.CancelScope() as scope:
            self._sending.add(scope)
            try:
                await self._acquire(request, token)
                failure = httpx.ReadError  # the server may have received it
                return await self._send(request, token)
            finally:
                self._sending.discard(scope)
        raise failure("the transport was closed", request=request)

    async def _send(self, request: httpx.Request, token: object) -> httpx.Response:
        opened = _OpenedStreams(request)
        try:
            response = await self._transport(request.url).handle_async_request(opened.traced)
        except BaseException:
            self._release(token)
            await opened.aclose()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  # for mypy
        response.stream = _Counted(response.stream, partial(self._release, token), current_loop())
        return response

    def _transport(self, url: httpx.URL) -> httpx.AsyncHTTPTransport:
        """The transport for `url`, direct or through a proxy."""
        proxy = self._proxies.choose(url.scheme, url.raw_host.decode("ascii"), url.port)
        if proxy not in self._transports:
            # Each has a TLS context of its own, unless one was given: httpcore sets its ALPN protocols on it.
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                http2=False,
                limits=self._keepalive,
                verify=self._make_context(),
                trust_env=False,
                proxy=None if proxy is None else self._httpx_proxy(proxy),
            )
        return self._transports[proxy]

    def _httpx_proxy(self, proxy: Proxy) -> httpx.Proxy:
        context = self._make_context() if proxy.scheme == "https" else None
        return httpx.Proxy(str(proxy), auth=proxy.credentials, ssl_context=context)

    async def _acquire(self, request: httpx.Request, token: object) -> None:
        timeout = Timeouts.of(request.extensions).pool
        self.in_flight += 1
        try:
            with anyio.fail_after(timeout):
                await self._wait_for_connection(token)
        except BaseException as error:
            self.in_flight -= 1
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("every HTTP/1.1 connection is in use", request=request) from None
            raise

    async def _wait_for_connection(self, token: object) -> None:
        try:
            self._limiter.acquire_on_behalf_of_nowait(token)
        except anyio.WouldBlock:
            await self._limiter.acquire_on_behalf_of(token)

    def _release(self, token: object) -> None:
        self.in_flight -= 1
        self._limiter.release_on_behalf_of(token)

    def fail_requests(self) -> None:
        """Fail all requests without a response, and those to come.

        Closing httpx's transport does not end them all: it does not know a connection that is still being
        opened.
        """
        self._closed = True
        for scope in self._sending:
            scope.cancel()

    async def aclose(self) -> None:
        """Close all connections; call `fail_requests` first."""
        for transport in self._transports.values():
            await transport.aclose()


class _OpenedStreams:
    """The TCP streams that are opened for a request. If it fails, nobody else uses them.

    httpcore 1.0.9 leaves a stream open when the request is cancelled during the TLS handshake.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._trace: Trace | None = request.extensions.get("trace")
        self._streams: list[AsyncCloseable] = []
        self.traced = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "trace": self._note},
        )

    async def _note(self, name: str, info: Info) -> None:
        if name == "connection.connect_tcp.complete":
            self._streams.append(cast(AsyncCloseable, info["return_value"]))
        if self._trace is not None:
            await self._trace(name, info)

    async def aclose(self) -> None:
        for stream in self._streams:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                await stream.aclose()


class _Counted(httpx.AsyncByteStream):
    """The body of a response, which calls `closed` once it is closed."""

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
