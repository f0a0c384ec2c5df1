"""`MultiplexedTransport`: the pool as a transport of httpx."""

import logging
import ssl
from dataclasses import replace
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import httpx

from discordianai.transport.background import BackgroundTasks, require_loop
from discordianai.transport.dialing import TlsDial
from discordianai.transport.http1 import Http1Sender
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import EventListener, Origin, PoolEvent, Statistics
from discordianai.transport.proxy_rules import Proxies
from discordianai.transport.tracing import ConnectTraces

if TYPE_CHECKING:
    from discordianai.transport.http2 import Http2Sender

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 3.0
"""Seconds that closing may take in all; each connection has one of them to send GOAWAY."""

HTTPS_PORT = 443


class MultiplexedTransport(httpx.AsyncBaseTransport):
    """An HTTP/2 connection pool for one `httpx.AsyncClient`, which opens and closes it.

    Times are in seconds. `streams_per_connection` is how many requests share a connection before another is
    opened. With `keepalive_expiry` None, idle connections are kept for ever. Without `ssl_context`, the
    system's certificate authorities are trusted, or those of SSL_CERT_FILE and SSL_CERT_DIR. Without
    `proxies`, none is used; `Proxies.of_environment()` reads the environment. With `http2` False, all
    requests use HTTP/1.1. `on_event` is called with each `PoolEvent`; it must not block.

    Raises `ValueError` for a limit that is out of range.
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
        proxies: Proxies | None = None,
        http2: bool = True,
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
        self._proxies = proxies or Proxies()
        self._wants_http2 = http2
        self._on_event = on_event
        self._http1 = Http1Sender(self._options, self._make_context, self._proxies)
        self._http2: Http2Sender | None = None
        self._background: BackgroundTasks | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        if self._background is not None:
            raise RuntimeError("a MultiplexedTransport can be opened only once: make one for each client")
        self._background = BackgroundTasks()
        tasks = await self._background.open()
        if not self._wants_http2:
            return self
        if find_spec("h2") is None:
            log.warning("h2 is not installed: using HTTP/1.1 only; pip install 'h2>=4.3' enables HTTP/2")
        else:
            from discordianai.transport.http2 import Http2Sender  # only this needs h2

            connect_traces = ConnectTraces()
            dial = TlsDial(self._make_context(), self._proxies, connect_traces)
            self._http2 = Http2Sender(self._options, dial, tasks, self._report, connect_traces)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail. Safe to repeat, from any task of the event loop.

        Raises `RuntimeError` in another event loop than the one it was opened in, unless that one has ended.
        """
        background = self._background
        if background is None or background.ended:
            self._closed = True
            return
        require_loop(background.loop)
        self._closed = True
        self._http1.fail_requests()
        with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
            try:
                if self._http2 is not None:
                    await self._http2.aclose()
                await self._http1.aclose()
            finally:
                await background.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`. Raises `httpx.TransportError`; `RuntimeError` unless open."""
        self._be_open()
        origin = _origin(request)
        if self._http2 is not None and request.url.scheme == "https" and not self._http1.knows(origin):
            response = await self._http2.send(request, origin)
            if response is not None:
                return response
            self._http1.remember(origin)
        return await self._http1.send(request)

    def reconfigure(self, options: PoolOptions) -> None:
        """Apply these limits; requests in flight go on."""
        self._options = options
        self._http1.reconfigure(options)
        if self._http2 is not None:
            self._http2.pool.reconfigure(options)

    def statistics(self) -> Statistics:
        """The current figures of the pool."""
        http1 = dict.fromkeys(map(str, self._http1.origins), "HTTP/1.1")
        figures = self._http2.pool.statistics() if self._http2 else Statistics(self._options.max_connections)
        return replace(
            figures, http1_requests=self._http1.in_flight, protocols={**figures.protocols, **http1}
        )

    def _be_open(self) -> None:
        background = self._background
        if background is None or self._closed or background.ended:
            state = "not open" if background is None else "closed"
            raise RuntimeError(
                f"this MultiplexedTransport is {state}: give it to httpx.AsyncClient(transport=...), "
                "and send requests inside the `async with` block of that client"
            )
        require_loop(background.loop)

    def _make_context(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()

    def _report(self, event: PoolEvent) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            # A connection has called it, and must not end for it.
            log.exception("on_event raised")


def _origin(request: httpx.Request) -> Origin:
    """Its destination. Raises `TypeError` if `sni_hostname` is not a string."""
    name = request.extensions.get("sni_hostname")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"the extension sni_hostname should be a str, not {type(name).__name__}")
    return Origin(request.url.raw_host.decode("ascii"), request.url.port or HTTPS_PORT, name)
