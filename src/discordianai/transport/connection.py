"""One HTTP/2 connection: one task reads, one writes, one watches over it. Only they touch the socket."""

import logging
from contextlib import suppress
from enum import Enum, auto
from typing import Protocol

import anyio
import httpx
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint
from h2.errors import ErrorCodes

from discordianai.transport.dialing import Dial
from discordianai.transport.exchange import Exchange
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.http2_protocol import Http2Protocol
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import (
    ConnectionClosed,
    ConnectionOpened,
    ConnectionStatistics,
    GoawayReceived,
    Origin,
    PingTimedOut,
    PoolEvent,
)

READ_SIZE = 65_536
FRAMES_PER_TURN = 100
"""Frames that are handled before other tasks get a turn."""

GOAWAY_TIMEOUT = 1.0
"""Seconds that sending GOAWAY and closing may take."""

EARLY = 5.0
"""Seconds: a connection that closes sooner, without a response, has failed."""

MIN_IDLE_CHECK = 0.05
"""Seconds between two checks whether a connection has become idle or busy."""

BLOCKED_WRITE = 0.02
"""Seconds after which a write was waiting for the socket's buffer, and not just for its turn."""

SOCKET_ERRORS = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
"""Raised by a broken socket or its TLS; `ssl.SSLError` is an `OSError`."""


class ConnectionState(Enum):
    """In the order of a connection's life."""

    OPENING = auto()
    OPEN = auto()
    DRAINING = auto()
    """Open streams finish, no new ones begin."""
    CLOSED = auto()
    """Its tasks are ending."""


class ConnectionOwner(Protocol):
    """The pool of an origin, as a connection sees it. No method waits."""

    def opened(self, connection: "Connection") -> None:
        """It is ready for requests."""

    def connect_failed(self, connection: "Connection", why: str) -> None:
        """It could not be opened, for a reason that is likely to last."""

    def goaway_while_opening(self, connection: "Connection", why: str) -> None:
        """The server sent GOAWAY before any request; another attempt may succeed."""

    def fall_back_to_http1(self, why: str) -> None:
        """The origin does not speak HTTP/2, or requires HTTP/1.1 from now on."""

    def capacity_changed(self, connection: "Connection") -> None:
        """Its load or capacity has changed."""

    def response_started(self) -> None:
        """A response has begun."""

    def unprocessed(self, exchange: Exchange, why: str, connection: "Connection", *, sent: bool) -> None:
        """The server has certainly not processed this request, which has left the connection."""

    def closed(self, connection: "Connection") -> None:
        """Its tasks have ended, and its socket is closed."""

    def report(self, event: PoolEvent) -> None:
        """Pass an event to the listener."""


class Connection:
    """Its pool starts `run` in a task of its own."""

    def __init__(self, origin: Origin, dial: Dial, options: PoolOptions, owner: ConnectionOwner) -> None:
        self.origin = origin
        self.state = ConnectionState.OPENING
        self.idle_since = 0.0
        self.attempt = 0
        """See `dialing.ConnectBackoff`."""
        self.needs_backoff = False
        """Whether it has failed, so that the next one should not be opened at once."""
        self._dial = dial
        self._options = options
        self._owner = owner
        self._scope = anyio.CancelScope()
        self._output = anyio.Event()
        self._protocol = Http2Protocol(options.streams_per_connection, self)
        self._streams = self._protocol.streams
        self._written = anyio.Event()
        self._opened_at = self._received_at = self._unblocked_at = 0.0
        self._pinged_at: float | None = None
        self._served = self._goaway_received = False
        self._dedicated = self._congested = self._writing = False
        self._goaway = b""

    @property
    def load(self) -> int:
        """Requests that it carries."""
        return self._streams.load

    @property
    def free_slots(self) -> int:
        """How many more requests it accepts."""
        if self.state is not ConnectionState.OPEN or self._streams.draining:
            return 0
        if self._congested or (self._dedicated and self.load):
            return 0
        return self._streams.free_slots

    @property
    def is_idle(self) -> bool:
        """Whether it is open and carries no request."""
        return self.state is ConnectionState.OPEN and not self.load

    @property
    def capacity(self) -> int:
        """How many requests it can carry at once."""
        return self._streams.capacity

    def statistics(self) -> ConnectionStatistics:
        """Its current figures, once it is open."""
        now = anyio.current_time()
        return ConnectionStatistics(
            origin=str(self.origin),
            protocol="HTTP/2",
            streams=self.load,
            capacity=self.capacity,
            age=now - self._opened_at,
            last_ping=None if self._pinged_at is None else now - self._pinged_at,
            draining=self.state is ConnectionState.DRAINING,
        )

    def submit(self, exchange: Exchange) -> None:
        """Send a request; the caller has checked `free_slots`."""
        self._streams.submit(exchange)

    def submit_dedicated(self, exchange: Exchange) -> None:
        """Send a request that is to have the connection for itself, whatever `free_slots` is."""
        self._dedicated = True
        self._streams.submit(exchange)

    def close(self, why: str) -> None:
        """Send GOAWAY and close; requests with open streams fail."""
        self._terminate(httpx.ReadError, why, lost=False)

    # Its tasks

    async def run(self, connect_timeout: float) -> None:
        """Connect within `connect_timeout` seconds, and carry requests until the connection closes."""
        try:
            with self._scope:
                stream = await self._open(connect_timeout)
                if stream is not None:
                    await self._serve(stream)
        except Exception:
            # The requests of this connection fail; the other ones, and the program, go on.
            logging.getLogger(__name__).exception("a bug in a connection of the HTTP/2 pool")
            self._terminate(httpx.ReadError, "a bug in the connection pool")
        finally:
            self._terminate(httpx.ReadError, "the connection was cancelled")
            self._owner.closed(self)

    async def _open(self, timeout: float) -> ByteStream | None:
        """Connect and exchange SETTINGS, so that no stream exceeds the server's limits. None on failure."""
        stream = None
        try:
            with anyio.fail_after(timeout):
                stream, protocol = await self._dial(self.origin)
                if protocol != "h2":
                    self._owner.fall_back_to_http1("the server speaks HTTP/1.1")
                    self._terminate(httpx.ConnectError, "the server speaks HTTP/1.1", lost=False)
                else:
                    await self._handshake(stream)
        except TimeoutError:
            self.needs_backoff = True
            self._terminate(httpx.ConnectTimeout, "connecting took too long")
        except Exception as error:  # whatever it is, it is likely to last
            self._owner.connect_failed(self, _cause(error))
            self._terminate(httpx.ConnectError, "connecting failed")
        except BaseException:
            if stream is not None:
                await anyio.aclose_forcefully(stream)
            raise
        if self.state is ConnectionState.OPENING:
            return stream
        if stream is not None:
            await anyio.aclose_forcefully(stream)
        return None

    async def _handshake(self, stream: ByteStream) -> None:
        await stream.send(self._protocol.data_to_send())
        while not self._protocol.settings_received and self.state is ConnectionState.OPENING:
            await self._receive(stream)

    async def _serve(self, stream: ByteStream) -> None:
        self.state = ConnectionState.OPEN
        self.idle_since = self._opened_at = self._received_at = anyio.current_time()
        try:
            self._owner.report(ConnectionOpened(self.origin, self._streams.capacity))
            self._owner.opened(self)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, stream)
                tasks.start_soon(self._write, stream)
                tasks.start_soon(self._watch)
        finally:
            with anyio.move_on_after(GOAWAY_TIMEOUT, shield=True), suppress(*SOCKET_ERRORS):
                try:
                    if self._goaway and not self._writing:  # not after half a frame
                        await stream.send(self._goaway)
                finally:
                    await stream.aclose()

    async def _receive(self, stream: ByteStream) -> None:
        """Receive and handle some data. Raises `Http2ConnectionError`, or one of `SOCKET_ERRORS`."""
        data = await stream.receive(READ_SIZE)
        self._received_at = anyio.current_time()
        self._protocol.receive_data(data, self._received_at)
        while self._protocol.process_frames(FRAMES_PER_TURN):
            await checkpoint()

    async def _read(self, stream: ByteStream) -> None:
        try:
            while True:
                await self._receive(stream)
        except Http2ConnectionError as error:
            self.needs_backoff = True
            self._terminate(httpx.RemoteProtocolError, _cause(error), code=error.code)
        except anyio.EndOfStream:
            self._terminate(httpx.RemoteProtocolError, "the server closed the connection")
        except SOCKET_ERRORS as error:
            self._terminate(httpx.ReadError, f"the connection broke: {type(error).__name__}")

    async def _write(self, stream: ByteStream) -> None:
        try:
            while True:
                while data := self._protocol.data_to_send():
                    began, self._writing = anyio.current_time(), True
                    await stream.send(data)
                    self._writing = False
                    self._wrote(began)
                await self._output.wait()
                self._output = anyio.Event()
        except SOCKET_ERRORS as error:
            # What the server sent before it closed can still be read.
            self._streams.draining = True
            await anyio.sleep(GOAWAY_TIMEOUT)
            self._terminate(httpx.WriteError, f"the connection broke: {type(error).__name__}")

    def _wrote(self, began: float) -> None:
        self._protocol.data_sent()
        now = anyio.current_time()
        if now - began > BLOCKED_WRITE:
            # The socket's buffer was full and has room again: the peer reads. A write that does not block
            # proves nothing, as the buffer may have room while the peer is gone.
            self._unblocked_at = now
        self._written.set()
        self._written = anyio.Event()
        if self._congested:
            self._congested = False
            self.capacity_changed()

    async def _watch(self) -> None:
        """Close the connection after the idle timeout, or if a busy one shows no sign of life."""
        expiry, interval = self._options.keepalive_expiry, self._options.ping_interval
        while True:
            now = anyio.current_time()
            if self.load:
                due = max(self._received_at, self._unblocked_at) + interval
                if now >= due:
                    await self._ping()
                    continue
            elif expiry is None:
                due = now + interval
            else:
                due = self.idle_since + expiry
                if now >= due:
                    self.close("idle")
                    return
            # Soon enough to notice that an idle connection has become busy, or a busy one idle.
            soonest = interval if expiry is None else max(expiry, MIN_IDLE_CHECK)
            await anyio.sleep(min(due - now, interval, soonest))

    async def _ping(self) -> None:
        """Send a PING, and wait for a sign of life from when it is written."""
        self._protocol.send_ping()
        await self._until_written()
        while not self._protocol.control_written:
            # The write blocks: a server that does not read may be alive, but gets no more requests.
            self._congested = True
            if not self.load:
                self._terminate(httpx.WriteError, "the server does not read")
            await self._until_written()
        asked = self._pinged_at = anyio.current_time()
        await anyio.sleep(self._options.ping_timeout)
        if max(self._received_at, self._unblocked_at) <= asked:
            self._owner.report(PingTimedOut(self.origin))
            self._terminate(httpx.ReadError, "the server does not answer a PING")

    async def _until_written(self) -> None:
        """Wait for the next write to end, for at most `ping_timeout`."""
        with anyio.move_on_after(self._options.ping_timeout):
            await self._written.wait()

    def _terminate(
        self,
        kind: type[httpx.TransportError],
        why: str,
        *,
        lost: bool = True,
        code: ErrorCodes = ErrorCodes.NO_ERROR,
    ) -> None:
        """Close the connection, for the first reason given: cancel its tasks and tell its requests."""
        if self.state is ConnectionState.CLOSED:
            return
        if self.state is not ConnectionState.OPENING:
            self._owner.report(ConnectionClosed(self.origin, why, lost))
            if (lost or self._goaway_received) and not self._served:
                self.needs_backoff |= anyio.current_time() - self._opened_at < EARLY
        self.state = ConnectionState.CLOSED
        self._goaway = self._protocol.terminate(kind, why, code)
        self._scope.cancel()

    # Events of the protocol

    def output_ready(self) -> None:
        """See `multiplexer.ConnectionEvents`."""
        self._output.set()

    def response_started(self) -> None:
        """See `multiplexer.ConnectionEvents`."""
        self._served = True
        self._owner.response_started()

    def capacity_changed(self) -> None:
        """See `multiplexer.ConnectionEvents`."""
        if self.state is ConnectionState.CLOSED:
            return
        if not self.load:
            self._dedicated = False
            self.idle_since = anyio.current_time()
            if self._streams.draining:
                self.close("drained")
                return
        if self.state is not ConnectionState.OPENING:
            self._owner.capacity_changed(self)
        if self.is_idle and self._options.keepalive_expiry == 0:
            self.close("idle")

    def goaway_received(self, last_stream_id: int, code: int) -> None:
        """See `multiplexer.ConnectionEvents`."""
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            self._owner.fall_back_to_http1("the server requires HTTP/1.1")
        if self.state is ConnectionState.OPENING:
            self._owner.goaway_while_opening(self, "the server sent GOAWAY at once")
            self._terminate(httpx.ConnectError, "the server sent GOAWAY at once")
            return
        self._goaway_received = True
        self.state = ConnectionState.DRAINING
        self._owner.report(GoawayReceived(self.origin, last_stream_id, code))

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        """See `multiplexer.ConnectionEvents`."""
        self._owner.unprocessed(exchange, why, self, sent=sent)


def _cause(error: Exception) -> str:
    """Why it was closed, for the error message of a request."""
    if isinstance(error, Http2ConnectionError):
        return f"the server broke the protocol: {error.code.name}: {error}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
