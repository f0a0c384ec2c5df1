"""One connection: a task that reads, one that writes, one that watches. Only they touch the socket."""

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
from discordianai.transport.multiplexer import Multiplexer
from discordianai.transport.pool_events import (
    ConnectionClosed,
    ConnectionOpened,
    GoawayReceived,
    Origin,
    PingTimedOut,
    PoolEvent,
    PoolOptions,
)
from discordianai.transport.protocol_errors import Http2ConnectionError

READ_SIZE = 65_536
FRAMES_PER_TURN = 100
"""Frames that are handled before the other tasks have their turn."""

GOAWAY_TIMEOUT = 1.0
"""Seconds that a connection may take to say goodbye and close."""

EARLY = 5.0
"""Seconds within which a connection that ends without an answer was of no use."""

MIN_IDLE_CHECK = 0.05
"""Seconds between two looks at a busy connection; one that becomes idle and is not kept is closed at once."""

BLOCKED_WRITE = 0.02
"""Seconds after which a write has waited for room in the socket, and not just for its turn."""

SOCKET_ERRORS = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
"""What a socket or its TLS raises when it is of no more use; `ssl.SSLError` is an `OSError`."""


class ConnectionState(Enum):
    """The life of a connection, in its order."""

    OPENING = auto()
    OPEN = auto()
    DRAINING = auto()
    """The open streams finish, no new ones begin."""
    CLOSED = auto()
    """Of no more use; its task is ending."""


class ConnectionOwner(Protocol):
    """The pool of an origin, as a connection sees it. No method waits."""

    def opened(self, connection: "Connection") -> None:
        """It can be used now."""

    def connect_failed(self, connection: "Connection", why: str) -> None:
        """It could not be made, for a reason that would meet the next attempt too."""

    def goaway_while_opening(self, connection: "Connection", why: str) -> None:
        """The server said GOAWAY before anything was asked; another attempt may do."""

    def fall_back_to_http1(self, why: str) -> None:
        """The origin did not agree to HTTP/2, or takes no more of it."""

    def capacity_changed(self, connection: "Connection") -> None:
        """Its load or its capacity has changed."""

    def response_started(self) -> None:
        """A request is being answered."""

    def unprocessed(self, exchange: Exchange, why: str, connection: "Connection", *, sent: bool) -> None:
        """This request was not processed here."""

    def closed(self, connection: "Connection") -> None:
        """Its task is over, its socket closed."""

    def report(self, event: PoolEvent) -> None:
        """For whoever listens."""


class Connection:
    """Made by the pool, which starts `run` in a task of its own."""

    def __init__(self, origin: Origin, dial: Dial, options: PoolOptions, owner: ConnectionOwner) -> None:
        self.origin = origin
        self.state = ConnectionState.OPENING
        self.idle_since = 0.0
        self.attempt = 0
        """See `connect_backoff.ConnectBackoff`."""
        self.needs_backoff = False
        """Whether it has ended as it should not be opened again soon."""
        self._dial = dial
        self._options = options
        self._owner = owner
        self._scope = anyio.CancelScope()
        self._output = anyio.Event()
        self._streams = Multiplexer(options.streams_per_connection, self)
        self._written = anyio.Event()
        self._opened_at = self._received_at = self._unblocked_at = 0.0
        self._served = self._goaway_received = False
        self._dedicated = self._congested = self._writing = False
        self._goaway = b""

    @property
    def load(self) -> int:
        """Requests that are on it."""
        return self._streams.load

    @property
    def free_slots(self) -> int:
        """How many more requests it takes."""
        if self.state is not ConnectionState.OPEN or self._streams.draining:
            return 0
        if self._congested or (self._dedicated and self.load):
            return 0
        return self._streams.free_slots

    @property
    def is_idle(self) -> bool:
        """Whether it could be closed without harm."""
        return self.state is ConnectionState.OPEN and not self.load

    @property
    def capacity(self) -> int:
        """How many requests it takes at once."""
        return self._streams.capacity

    def submit(self, exchange: Exchange) -> None:
        """Take on a request, if `free_slots` says so."""
        self._streams.submit(exchange)

    def submit_dedicated(self, exchange: Exchange) -> None:
        """Take on a request that is to have it for itself, even one that there seems to be no room for."""
        self._dedicated = True
        self._streams.submit(exchange)

    def close(self, why: str) -> None:
        """Take leave; streams that are still open fail."""
        self._terminate(httpx.ReadError, why, lost=False)

    # Its tasks

    async def run(self, connect_timeout: float) -> None:
        """Connect within so many seconds, and carry requests until the connection ends."""
        try:
            with self._scope:
                stream = await self._open(connect_timeout)
                if stream is not None:
                    await self._serve(stream)
        except Exception:
            # Streams of a connection that met a bug fail; the others, and the program, go on.
            logging.getLogger(__name__).exception("a connection of the HTTP/2 pool met a bug")
            self._terminate(httpx.ReadError, "a bug in the connection pool")
        finally:
            self._terminate(httpx.ReadError, "the connection was cancelled")
            self._owner.closed(self)

    async def _open(self, timeout: float) -> ByteStream | None:
        """The connection, once the server's SETTINGS have come: no stream exceeds what they allow."""
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
        except Exception as error:  # whatever it is, it would meet the next attempt too
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
        await stream.send(self._streams.data_to_send())
        while not self._streams.settings_received and self.state is ConnectionState.OPENING:
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
                    if self._goaway and not self._writing:  # what was cut in the midst has no end
                        await stream.send(self._goaway)
                finally:
                    await stream.aclose()

    async def _receive(self, stream: ByteStream) -> None:
        """Take in what comes next. Raises `Http2ConnectionError`, or one of `SOCKET_ERRORS`."""
        data = await stream.receive(READ_SIZE)
        self._received_at = anyio.current_time()
        self._streams.receive_data(data, self._received_at)
        while self._streams.process_frames(FRAMES_PER_TURN):
            await checkpoint()

    async def _read(self, stream: ByteStream) -> None:
        try:
            while True:
                await self._receive(stream)
        except Http2ConnectionError as fault:
            self.needs_backoff = True
            self._terminate(httpx.RemoteProtocolError, _cause(fault), code=fault.code)
        except anyio.EndOfStream:
            self._terminate(httpx.RemoteProtocolError, "the server closed the connection")
        except SOCKET_ERRORS as error:
            self._terminate(httpx.ReadError, f"the connection broke: {type(error).__name__}")

    async def _write(self, stream: ByteStream) -> None:
        try:
            while True:
                while data := self._streams.data_to_send():
                    began, self._writing = anyio.current_time(), True
                    await stream.send(data)
                    self._writing = False
                    self._wrote(began)
                await self._output.wait()
                self._output = anyio.Event()
        except SOCKET_ERRORS as error:
            # What the server said before it left may still be there to be read.
            self._streams.draining = True
            await anyio.sleep(GOAWAY_TIMEOUT)
            self._terminate(httpx.WriteError, f"the connection broke: {type(error).__name__}")

    def _wrote(self, began: float) -> None:
        self._streams.data_sent()
        now = anyio.current_time()
        if now - began > BLOCKED_WRITE:
            # There was no room in the socket, and now there is: the peer takes what is sent. What finds room
            # at once says nothing, as a peer that is gone leaves the socket its room.
            self._unblocked_at = now
        self._written.set()
        self._written = anyio.Event()
        if self._congested:
            self._congested = False
            self.capacity_changed()

    async def _watch(self) -> None:
        """Close the connection when it was idle for long, or shows no sign of life while it is not."""
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
            # Looking again so often notices a connection that was idle and is busy now, or the other way.
            often = interval if expiry is None else max(expiry, MIN_IDLE_CHECK)
            await anyio.sleep(min(due - now, interval, often))

    async def _ping(self) -> None:
        """Ask for a sign of life, and wait for one from when the PING is with the socket."""
        self._streams.send_ping()
        await self._until_written()
        while not self._streams.control_written:
            # The socket takes nothing: a server that reads nothing may be alive, but gets no more requests.
            self._congested = True
            if not self.load:
                self._terminate(httpx.WriteError, "the server takes nothing")
            await self._until_written()
        asked = anyio.current_time()
        await anyio.sleep(self._options.ping_timeout)
        if max(self._received_at, self._unblocked_at) <= asked:
            self._owner.report(PingTimedOut(self.origin))
            self._terminate(httpx.ReadError, "the server shows no sign of life")

    async def _until_written(self) -> None:
        """Wait for the next write to end, but no longer than for the answer to a PING."""
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
        """It is over, for the first reason given; the tasks are cancelled, its requests told."""
        if self.state is ConnectionState.CLOSED:
            return
        if self.state is not ConnectionState.OPENING:
            self._owner.report(ConnectionClosed(self.origin, why, lost))
            if (lost or self._goaway_received) and not self._served:
                self.needs_backoff |= anyio.current_time() - self._opened_at < EARLY
        self.state = ConnectionState.CLOSED
        self._goaway = self._streams.terminate(kind, why, code)
        self._scope.cancel()

    # What the multiplexer tells

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
            self._owner.fall_back_to_http1("the server wants HTTP/1.1")
        if self.state is ConnectionState.OPENING:
            self._owner.goaway_while_opening(self, "the server went away at once")
            self._terminate(httpx.ConnectError, "the server went away at once")
            return
        self._goaway_received = True
        self.state = ConnectionState.DRAINING
        self._owner.report(GoawayReceived(self.origin, last_stream_id, code))

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        """See `multiplexer.ConnectionEvents`."""
        self._owner.unprocessed(exchange, why, self, sent=sent)


def _cause(error: Exception) -> str:
    """What has ended it, in words for whoever reads the error of a request."""
    if isinstance(error, Http2ConnectionError):
        return f"the server broke the protocol: {error.code.name}: {error}"
    return f"{type(error).__name__}: {error}".removesuffix(": ")
