"""The `trace` extension of httpx, with the event names of httpcore.

An event is `connection.connect_tcp.started`, then `.complete` or `.failed`, and likewise for `start_tls` of
`connection` or `proxy`, and for `send_request_headers`, `send_request_body`, `receive_response_headers`,
`receive_response_body` and `response_closed` of `http2`. The pool opens connections, not a request: their
events go to all requests that wait for them.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import anyio
import httpx

from discordianai.transport.exchange import QUEUED, Exchange, Phase, RawHeaders
from discordianai.transport.pool_events import Origin

Info = Mapping[str, object]
Trace = Callable[[str, Info], Awaitable[None]]

MAX_EVENTS = 1000
"""Events that are buffered for a slow tracer; later ones are dropped."""

HEADERS, BODY = "http2.send_request_headers", "http2.send_request_body"
RESPONSE = "http2.receive_response_headers"


class TraceReporter:
    """Reports one request to its tracer. The methods that report an event never wait."""

    def __init__(self, request: httpx.Request) -> None:
        self._trace = cast(Trace, request.extensions["trace"])
        self._about: dict[str, object] = {"request": request}
        self._open = ""
        self._waits_for_place = True
        self._error: Exception | None = None
        self._send, self._receive = anyio.create_memory_object_stream[tuple[str, Info]](MAX_EVENTS)

    async def during(self, wait: Callable[[], Awaitable[None]]) -> None:
        """Run `wait` while reporting. Raises what `wait` raises, or the tracer, whose error ends the wait."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._report_all, tasks.cancel_scope)
            with self._send:
                try:
                    await wait()
                except Exception as error:
                    failure = error
                    self._ends("failed", {"exception": error})
        if (first := self._error or failure) is not None:
            raise first

    async def _report_all(self, scope: anyio.CancelScope) -> None:
        try:
            async with self._receive:
                async for name, info in self._receive:
                    await self._trace(name, info)
        except Exception as error:
            self._error = error
            scope.cancel()

    def report(self, name: str, info: Info) -> None:
        """Report an event."""
        try:
            self._send.send_nowait((name, info))
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return

    def connecting(self, name: str, info: Info) -> None:
        """Report an event of a connection that is being opened to its origin."""
        if self._waits_for_place:
            self.report(name, info)

    def entered(self, phase: Phase) -> None:
        """The request waits for something else now."""
        self._waits_for_place = phase in QUEUED
        if phase in QUEUED:
            again = httpx.RemoteProtocolError("the server has not processed the request: it is sent again")
            self._ends("failed", {"exception": again})
        elif phase is Phase.READ:
            self._sent()
        elif not self._open:
            self._begins(HEADERS)
            self._ends()
            self._begins(BODY)

    def answered(self, exchange: Exchange) -> None:
        """The response's status and headers have come."""
        self._about["stream_id"] = exchange.stream_id
        self._sent()
        self._ends("complete", {"return_value": (exchange.status, exchange.response_headers)})

    def stream(self, stream: httpx.AsyncByteStream) -> httpx.AsyncByteStream:
        """The response's body, with its own events reported."""
        return TracedStream(stream, self._trace, self._about)

    def _sent(self) -> None:
        if self._open == BODY:
            self._ends()
        if not self._open:
            self._begins(RESPONSE)

    def _begins(self, name: str) -> None:
        self._open = name
        self.report(f"{name}.started", dict(self._about))

    def _ends(self, how: str = "complete", info: Info | None = None) -> None:
        if self._open:
            self.report(f"{self._open}.{how}", info or {"return_value": None})
            self._open = ""


class TracedExchange(Exchange):
    """An exchange with a `reporter`, which is set before it is submitted."""

    reporter: TraceReporter

    def enter(self, phase: Phase) -> None:
        """See `Exchange`."""
        super().enter(phase)
        self.reporter.entered(phase)

    def response_started(self, status: int, headers: RawHeaders, stream_id: int) -> None:
        """See `Exchange`."""
        super().response_started(status, headers, stream_id)
        self.reporter.answered(self)


class TracedStream(httpx.AsyncByteStream):
    """A response's body, with the events of reading it and closing it."""

    def __init__(self, stream: httpx.AsyncByteStream, trace: Trace, about: Info) -> None:
        self._stream = stream
        self._pieces = aiter(stream)
        self._trace = trace
        self._about = about
        self._begun = self._closed = False

    def __aiter__(self) -> "TracedStream":
        return self

    async def __anext__(self) -> bytes:
        name = "http2.receive_response_body"
        if not self._begun:
            self._begun = True
            await self._trace(f"{name}.started", self._about)
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            await self._trace(f"{name}.complete", {"return_value": None})
            raise
        except Exception as error:
            await self._trace(f"{name}.failed", {"exception": error})
            raise

    async def aclose(self) -> None:
        """See `httpx.AsyncByteStream`. Close first: the tracer may fail, or be cancelled."""
        await self._stream.aclose()
        if not self._closed:
            self._closed = True
            await self._trace("http2.response_closed.started", self._about)
            await self._trace("http2.response_closed.complete", {"return_value": None})


class ConnectTraces:
    """The requests that trace the connections being opened, by origin."""

    def __init__(self) -> None:
        self._reporters: defaultdict[Origin, list[TraceReporter]] = defaultdict(list)

    @contextmanager
    def heard_by(self, reporter: TraceReporter, origin: Origin) -> Iterator[None]:
        """Report to this request while the block runs."""
        self._reporters[origin].append(reporter)
        try:
            yield
        finally:
            self._reporters[origin].remove(reporter)
            if not self._reporters[origin]:
                del self._reporters[origin]

    @contextmanager
    def step(self, origin: Origin, name: str, **info: object) -> Iterator[list[object]]:
        """Report a step of opening a connection; put what it returns into the list."""
        returned: list[object] = []
        self._report(origin, f"{name}.started", info)
        try:
            yield returned
        except BaseException as error:
            self._report(origin, f"{name}.failed", {"exception": error})
            raise
        self._report(origin, f"{name}.complete", {"return_value": returned[0] if returned else None})

    def _report(self, origin: Origin, name: str, info: Info) -> None:
        for reporter in self._reporters.get(origin, ()):
            reporter.connecting(name, info)
