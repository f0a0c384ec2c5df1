"""`MultiplexedTransport`: what the client of a pool sees."""

import logging
import ssl
from dataclasses import replace
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.abc
import httpx

from discordianai.transport.dialing import TlsDial
from discordianai.transport.http1 import Http1Fallback
from discordianai.transport.records import EventListener, Origin, PoolEvent, PoolOptions, Statistics

if TYPE_CHECKING:
    from discordianai.transport.http2 import Http2

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
"""Seconds that closing may take in all; each connection has one of them for its farewell."""

HTTPS_PORT = 443


class MultiplexedTransport(httpx.AsyncBaseTransport):
    """An HTTP/2 connection pool; see the package for how it is used.

    Times are in seconds. `streams_per_connection` is how many requests share a connection before another one
    is opened. `keepalive_expiry` None keeps idle connections for ever. Without `ssl_context` the system's
    certificates are trusted, or those that SSL_CERT_FILE and SSL_CERT_DIR name. `on_event` is called with
    each `PoolEvent`; it must not wait.
    """

    def __init__(
        self,
        *,
        max_connections: int = 50,
        max_keepalive: int = 10,
        keepalive_expiry: float | None = 60.0,
        streams_per_connection: int = 10,
        ping_interval: float = 15.0,
        ping_timeout: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        on_event: EventListener | None = None,
    ) -> None:
        self._options = PoolOptions(
            max_connections=max_connections,
            max_keepalive=max_keepalive,
            keepalive_expiry=keepalive_expiry,
            streams_per_connection=streams_per_connection,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
        )
        self._context = ssl_context
        self._on_event = on_event
        self._http1 = Http1Fallback(self._options, self._make_context)
        self._http2: Http2 | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._opened = self._closed = False

    async def __aenter__(self) -> Self:
        if self._opened:
            raise RuntimeError("a MultiplexedTransport is opened once, by the one client that it is given to")
        self._opened = True
        # The caller's code runs inside this task group, but never in its hands: connections end by cancel
        # scopes of their own and let no exception out, so that the group is never cancelled.
        self._tasks = await anyio.create_task_group().__aenter__()
        if find_spec("h2") is None:
            log.warning("h2 is not installed: HTTP/1.1 only; pip install 'h2>=4.3' brings HTTP/2")
        else:
            from discordianai.transport.http2 import Http2  # it needs h2, without which all else works

            self._http2 = Http2(self._options, TlsDial(self._make_context()), self._tasks, self._tell)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        try:
            await self.aclose()
        finally:
            if self._tasks is not None:
                tasks, self._tasks = self._tasks, None
                # Not told of the exception, which is the caller's and passes by itself.
                await tasks.__aexit__(None, None, None)

    async def aclose(self) -> None:
        """End every connection; requests in flight fail. May be repeated, and called by any task."""
        self._closed = True
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            if self._http2 is not None:
                await self._http2.aclose()
            await self._http1.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`. Raises `httpx.TransportError`; `RuntimeError` unless open."""
        if self._tasks is None or self._closed:
            state = "closed" if self._closed else "not open"
            raise RuntimeError(
                f"this MultiplexedTransport is {state}: give it to httpx.AsyncClient(transport=...), "
                "and send requests inside `async with` of that client"
            )
        origin = Origin(request.url.raw_host.decode("ascii"), request.url.port or HTTPS_PORT)
        if self._http2 is not None and request.url.scheme == "https" and not self._http1.knows(origin):
            response = await self._http2.send(request, origin)
            if response is not None:
                return response
            self._http1.remember(origin)
        return await self._http1.send(request)

    def adopt(self, options: PoolOptions) -> None:
        """Keep to these from now on; what is in flight goes on."""
        self._options = options
        self._http1.adopt(options)
        if self._http2 is not None:
            self._http2.pool.adopt(options)

    def statistics(self) -> Statistics:
        """The pool at this moment."""
        http1 = dict.fromkeys(map(str, self._http1.origins), "HTTP/1.1")
        figures = self._http2.pool.statistics() if self._http2 else Statistics(self._options.max_connections)
        return replace(
            figures, http1_requests=self._http1.in_flight, protocols={**figures.protocols, **http1}
        )

    def _make_context(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()

    def _tell(self, event: PoolEvent) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            # It was called from the midst of a connection, which must not end for it.
            log.exception("on_event raised")
