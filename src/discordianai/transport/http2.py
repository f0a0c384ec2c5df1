"""HTTP/2: sends requests on the connections of a pool, and reads their responses."""

import logging
from contextvars import Context
from functools import partial

import anyio
import anyio.abc
import httpx

from discordianai.transport.background import current_loop, require_loop
from discordianai.transport.connection import Connection
from discordianai.transport.dialing import Dial
from discordianai.transport.exchange import DeadlineWatcher, Exchange, Timeouts
from discordianai.transport.fields import request_headers
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool import ConnectionPool
from discordianai.transport.pool_events import EventListener, Origin
from discordianai.transport.tracing import ConnectTraces, TracedExchange, TraceReporter
from discordianai.transport.uploads import StreamedBody, body_of

log = logging.getLogger(__name__)


class Http2Sender:
    """Runs connections in `tasks`, which the caller opens and closes. `dial` reports to `connect_traces`."""

    def __init__(
        self,
        options: PoolOptions,
        dial: Dial,
        tasks: anyio.abc.TaskGroup,
        on_event: EventListener,
        connect_traces: ConnectTraces | None = None,
    ) -> None:
        self._tasks = tasks
        self._loop = current_loop()
        self._empty = anyio.Event()
        self._connect_traces = connect_traces or ConnectTraces()
        self._deadlines = DeadlineWatcher()
        self._watching = anyio.CancelScope()
        tasks.start_soon(self._watch)
        self.pool = ConnectionPool(options, dial, self._start, on_event, self._deadlines)

    async def send(self, request: httpx.Request, origin: Origin) -> httpx.Response | None:
        """Send a request. None if the server requires HTTP/1.1 and has not processed it.

        Raises `httpx.TransportError`, and whatever the request's body raises.
        """
        headers, body = request_headers(request), await body_of(request)
        reporter = TraceReporter(request) if request.extensions.get("trace") is not None else None
        kind = Exchange if reporter is None else TracedExchange
        exchange = kind(origin, headers, body, Timeouts.of(request.extensions), self._deadlines)
        if isinstance(body, StreamedBody):
            self._tasks.start_soon(body.run, exchange.body_failed)
        try:
            if reporter is None:
                await self._answered(exchange)
            else:
                await self._traced(exchange, reporter)
        except BaseException:
            exchange.close()
            raise
        if exchange.needs_http1:
            exchange.close()
            return None
        stream: httpx.AsyncByteStream = ResponseStream(exchange, self._loop)
        return httpx.Response(
            exchange.status,
            headers=exchange.response_headers,
            stream=stream if reporter is None else reporter.stream(stream),
            request=request,
            extensions={"http_version": b"HTTP/2", "stream_id": exchange.stream_id},
        )

    async def _answered(self, exchange: Exchange) -> None:
        self.pool.submit(exchange)
        await exchange.response()

    async def _traced(self, exchange: Exchange, reporter: TraceReporter) -> None:
        assert isinstance(exchange, TracedExchange)  # noqa: S101  # for mypy
        exchange.reporter = reporter
        with self._connect_traces.heard_by(reporter, exchange.origin):
            await reporter.during(partial(self._answered, exchange))

    async def aclose(self) -> None:
        """Close all connections, and wait until they are closed. The caller limits the wait."""
        self.pool.close("the transport was closed")
        while self.pool.connections:
            self._empty = anyio.Event()
            await self._empty.wait()
        self._watching.cancel()

    async def _watch(self) -> None:
        with self._watching:
            await self._deadlines.run()

    def _start(self, connection: Connection, connect_timeout: float) -> None:
        # It outlives the request that it is opened for: its log lines must not carry that one's context.
        Context().run(self._tasks.start_soon, self._run, connection, connect_timeout)

    async def _run(self, connection: Connection, connect_timeout: float) -> None:
        try:
            await connection.run(connect_timeout)
        except Exception:
            # It would cancel the task group: all other connections, and the deadlines of all requests.
            log.exception("a connection of the HTTP/2 pool could not end")
        finally:
            self._empty.set()  # also when cancelled: `aclose` waits for it, shielded


class ResponseStream(httpx.AsyncByteStream):
    """The body of a response, as it arrives. Closing it early resets the stream."""

    def __init__(self, exchange: Exchange, loop: object) -> None:
        self._exchange = exchange
        self._loop = loop

    def __aiter__(self) -> "ResponseStream":
        # Not an async generator: httpx does not close those of responses that are left early.
        return self

    async def __anext__(self) -> bytes:
        require_loop(self._loop)
        if piece := await self._exchange.next_chunk():
            return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """See `httpx.AsyncByteStream`. Never waits."""
        self._exchange.close()
