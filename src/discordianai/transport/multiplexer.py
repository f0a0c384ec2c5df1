"""The streams of one connection, without any I/O: RFC 9113 as far as a client has to do with it.

Whoever owns the connection feeds what was received, and sends what `collect` gives. Every frame is sorted by
whom it concerns: a `StreamFault` ends one stream, a `ConnectionFault` all of them, and what comes for a
stream that is over is ignored (5.1), but for its part in the header table and in the connection's window.
"""

from collections import deque
from typing import Protocol

import httpx
from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.compression import Block, HeaderBlocks, HeaderList
from discordianai.transport.exchange import Exchange, Phase
from discordianai.transport.fields import response_of, trailers_of
from discordianai.transport.floods import COSTLY, FloodGuard
from discordianai.transport.frames import Frame, FrameReader
from discordianai.transport.peer_settings import Peer, greeting
from discordianai.transport.protocol_errors import ConnectionFault, StreamFault
from discordianai.transport.reset_streams import Lingering
from discordianai.transport.send_queue import Outgoing
from discordianai.transport.stream import Placement
from discordianai.transport.windows import ReceiveWindow, SendWindow

STREAM_WINDOW = 262_144
"""Bytes of an answer that may lie unread, for each stream: 2.6 MB/s at a round trip of 100 ms."""

LAST_STREAM_ID = 2**31 - 1


class ConnectionEvents(Protocol):
    """Who is told what the multiplexer cannot settle by itself. No method waits."""

    def wake(self) -> None:
        """There is something to collect."""

    def room(self) -> None:
        """Streams have ended, or the server's limits have changed."""

    def progress(self) -> None:
        """The server has begun to answer a request."""

    def goaway(self, last_stream_id: int, code: int) -> None:
        """The server takes no new streams."""

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        """The server has not processed this one, for sure; it is not on this connection any more."""


class Multiplexer:
    """Every exchange of a connection, from its submission to its end."""

    def __init__(self, max_streams: int, listener: ConnectionEvents) -> None:
        self._listener = listener
        self._max_streams = max_streams
        self._peer = Peer()
        self._reader = FrameReader()
        self._blocks = HeaderBlocks()
        self._guard = FloodGuard()
        # So large that streams whose owners don't read leave the others their windows.
        size = STREAM_WINDOW * max_streams
        self._window = ReceiveWindow(size, STREAM_WINDOW // 2)
        self._waiting: deque[Placement] = deque()
        self._streams: dict[int, Placement] = {}
        self._lingering = Lingering()
        self._next_id = 1
        self._outgoing = Outgoing(self._peer, listener.wake)
        self._outgoing.say(greeting(STREAM_WINDOW, size))
        self._ended = False
        self.draining = False
        """Whether no new stream may be opened."""
        self._handlers = {
            frames.DATA: self._on_data,
            frames.HEADERS: self._on_headers,
            frames.PRIORITY: self._on_priority,
            frames.CONTINUATION: self._on_headers,
            frames.RST_STREAM: self._on_reset,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window,
        }

    @property
    def load(self) -> int:
        """Exchanges that are here, sent or to be sent."""
        return len(self._streams) + len(self._waiting)

    @property
    def capacity(self) -> int:
        """How many may be here."""
        return min(self._max_streams, self._peer.max_streams)

    @property
    def free(self) -> int:
        """Places for further requests, without those that the server may still count."""
        of_server = self._peer.max_streams - len(self._streams) - self._lingering.count
        return min(self._max_streams - len(self._streams), of_server) - len(self._waiting)

    @property
    def greeted(self) -> bool:
        """Whether the server's first SETTINGS have come."""
        return self._peer.greeted

    @property
    def said_all(self) -> bool:
        """Whether answers and PINGs are written."""
        return self._outgoing.said_all

    # Requests

    def submit(self, exchange: Exchange) -> None:
        """Take on a request; the caller has seen that there is room."""
        placement = Placement(exchange, self)
        exchange.holder = placement
        exchange.enter(Phase.WRITE)
        self._waiting.append(placement)
        self._listener.wake()

    def leave(self, placement: Placement) -> None:
        """See `stream.Streams`: RST_STREAM, unless nothing was sent yet."""
        if placement.stream_id:
            self._reset(placement, ErrorCodes.CANCEL)
        else:
            self._waiting.remove(placement)
        self._listener.room()

    def read(self, placement: Placement, size: int) -> None:
        """See `stream.Streams`."""
        if self._ended:
            return
        if placement.stream_id in self._streams and (increment := placement.receive.read(size)):
            self._outgoing.say(frames.window_update(placement.stream_id, increment))
        self._give_back(size)

    # The wire

    def collect(self) -> bytes:
        """What is to be sent next: answers and PINGs, the requests that wait, and a frame of each body.

        Call `sent` when it was.
        """
        parts = [self._outgoing.control()]
        while self._waiting and self._has_place() and not self.draining:
            parts.append(self._start())
        if self.free <= 0 and self._lingering.ask():
            parts.append(frames.frame(frames.PING, 0, 0, Lingering.PAYLOAD))
        bodies = self._outgoing.data()
        for body in bodies:
            self._guard.sent(len(body))
        return b"".join(parts + bodies)

    def sent(self) -> None:
        """What `collect` gave last has been written: from now on those requests wait for their answers."""
        self._outgoing.sent()

    def receive(self, data: bytes, now: float) -> None:
        """Take in what was received at `now`, in seconds; `process` makes something of it."""
        self._guard.tick(now)
        self._reader.feed(data)

    def process(self, most: int) -> bool:
        """Handle so many frames, or fewer that take longer; whether there may be more.

        Raises `ConnectionFault`.
        """
        while most > 0:
            if self._ended or (frame := self._reader.next()) is None:
                return False
            self._handle(frame)
            most -= 1 if frame.kind == frames.DATA else 1 + len(frame.payload) // COSTLY
        return True

    def ping(self) -> None:
        """Ask for a sign of life; whatever is received counts as one."""
        self._outgoing.say(frames.frame(frames.PING, 0, 0, bytes(8)))

    def end(self, kind: type[httpx.TransportError], why: str, code: ErrorCodes) -> bytes:
        """The connection is over: what was not sent can go elsewhere, the rest fails.

        Returns the words of farewell, in case they can still be sent.
        """
        self._ended = self.draining = True
        for placement in self._streams.values():
            placement.exchange.failed(kind, why)
        self._streams.clear()
        self._outgoing.clear()
        self._return_waiting(why)
        return self._outgoing.control() + frames.goaway(code)

    # Sending

    def _start(self) -> bytes:
        """The frames that open a stream for the first request that waits."""
        placement = self._waiting.popleft()
        stream_id, self._next_id = self._next_id, self._next_id + 2
        window = ReceiveWindow(STREAM_WINDOW, STREAM_WINDOW // 2)
        placement.open(stream_id, SendWindow(self._peer.stream_window), window)
        self._streams[stream_id] = placement
        self._outgoing.begin(placement)
        self._guard.progress()
        if self._next_id > LAST_STREAM_ID:
            self.draining = True  # after 2**30 requests
            self._return_waiting("the connection has no more stream ids")
        block = self._blocks.encode(placement.exchange.headers)
        return frames.headers(stream_id, block, self._peer.frame_size, end_stream=placement.upload is None)

    def _has_place(self) -> bool:
        return len(self._streams) + self._lingering.count < self._peer.max_streams

    def _reset(self, placement: Placement, code: ErrorCodes) -> None:
        if self._forget(placement):
            self._lingering.reset(self._next_id)
            self._outgoing.say(frames.rst_stream(placement.stream_id, code))

    def _give_back(self, size: int) -> None:
        """So much of the connection's window is free again."""
        if increment := self._window.read(size):
            self._outgoing.say(frames.window_update(0, increment))

    # Receiving

    def _handle(self, frame: Frame) -> None:
        kind = frame.kind
        if (kind == frames.CONTINUATION or self._blocks.begun) and self._blocks.interrupted_by(frame):
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a header block that is interrupted")
        if not self._peer.greeted and kind not in {frames.SETTINGS, frames.GOAWAY}:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a connection that does not begin with SETTINGS")
        handler = self._handlers.get(kind)
        if handler is None:
            self._guard.idle()  # of a type that is not known (RFC 9113, 5.5)
            return
        try:
            handler(frame)
        except StreamFault as fault:
            self._malformed(frame.stream_id, fault)

    def _stream(self, stream_id: int, size: int = 0) -> Placement | None:
        """Whose stream it is; None if it is over, and `size` bytes were decoded for nothing.

        Raises `ConnectionFault` if it was never opened.
        """
        placement = self._streams.get(stream_id)
        if placement is None:
            if not stream_id & 1 or stream_id >= self._next_id:
                raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"a frame on idle stream {stream_id}")
            self._guard.idle(size)
        return placement

    def _forget(self, placement: Placement) -> bool:
        """The stream is over; whether it was not before. What lies unread gives up its part of the window."""
        if self._streams.pop(placement.stream_id, None) is None:
            return False
        self._outgoing.discard(placement)
        unread, placement.exchange.unread = placement.exchange.unread, 0
        self._give_back(unread)
        return True

    def _malformed(self, stream_id: int, fault: StreamFault) -> None:
        """RFC 9113, 8.1.1 and 5.4.2."""
        if placement := self._streams.get(stream_id):
            self._forget(placement)
            placement.exchange.failed(httpx.RemoteProtocolError, f"the server sent {fault}")
            self._listener.room()
            self._outgoing.answer(frames.rst_stream(stream_id, fault.code))

    def _on_data(self, frame: Frame) -> None:
        data, size = frames.without_padding(frame), len(frame.payload)
        self._window.received(size)
        placement = self._stream(frame.stream_id)
        if placement is None:
            self._give_back(size)
            return
        placement.receive.received(size)
        exchange = placement.exchange
        exchange.unread += size
        if not placement.started:
            raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "content before its headers")
        placement.got += len(data)
        if placement.expected is not None and placement.got > placement.expected:
            raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "more content than it announced")
        exchange.received(data)
        if frame.flags & frames.END_STREAM:
            self._end(placement)
        else:
            self._guard.received(len(data), size)

    def _on_headers(self, frame: Frame) -> None:
        whole = self._blocks.add(frame)
        if whole is None:
            self._guard.idle()
            return
        block, fields = whole
        if placement := self._stream(block.stream_id, len(block.data)):
            if placement.started:
                self._on_trailers(placement, fields, block.end_stream)
            else:
                self._on_response(placement, block, fields)

    def _on_response(self, placement: Placement, block: Block, fields: HeaderList) -> None:
        response = response_of(fields)
        if response.informational:
            self._guard.idle(len(block.data))
            if block.end_stream:
                raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "no answer")
            return
        exchange = placement.exchange
        placement.started = True
        placement.expected = response.content_length(exchange.headers[0][1])
        exchange.started(response.status, response.headers, placement.stream_id)
        self._guard.progress()
        if self._lingering.answered(placement.stream_id):
            self._listener.room()
        self._listener.progress()
        if block.end_stream:
            self._end(placement)

    def _on_trailers(self, placement: Placement, fields: HeaderList, end_stream: bool) -> None:
        if not end_stream:
            raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "headers in the midst of its content")
        placement.exchange.trailers = trailers_of(fields)
        self._end(placement)

    def _end(self, placement: Placement) -> None:
        """The answer is whole, perhaps before the request was: then nobody reads the rest of that."""
        if placement.expected is not None and placement.got != placement.expected:
            raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "less content than it announced")
        placement.exchange.ended()
        if placement.upload is None:
            self._forget(placement)
        else:
            self._reset(placement, ErrorCodes.CANCEL)
        self._listener.room()

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number(frame.payload)
        placement = self._stream(frame.stream_id)
        if placement is None:
            return
        self._forget(placement)
        exchange = placement.exchange
        if code == ErrorCodes.REFUSED_STREAM:
            self._unprocessed(placement, "the server refused the stream")
        elif code == ErrorCodes.HTTP_1_1_REQUIRED:
            exchange.wants_http1("the server wants HTTP/1.1 for this request")
        else:
            exchange.failed(httpx.RemoteProtocolError, f"the server reset the stream: {frames.name_of(code)}")
        self._listener.room()

    def _on_priority(self, frame: Frame) -> None:
        """RFC 9113, 5.3.2: it means nothing any more, whatever state its stream is in."""
        self._guard.idle()
        if not frame.stream_id:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a priority of no stream")
        if len(frame.payload) != 5:
            raise StreamFault(ErrorCodes.FRAME_SIZE_ERROR, "a priority that is not 5 bytes long")

    def _on_window(self, frame: Frame) -> None:
        self._guard.idle()
        increment = frames.increment_of(frame.payload)
        if not frame.stream_id:
            if not increment:
                raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a window update of nothing")
            if not self._peer.window.enlarge(increment):
                raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        elif placement := self._stream(frame.stream_id):
            if not increment:
                raise StreamFault(ErrorCodes.PROTOCOL_ERROR, "a window update of nothing")
            if not placement.send.enlarge(increment):
                raise StreamFault(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        if self._outgoing:
            self._listener.wake()

    def _on_settings(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        settings = frames.settings_of(frame)
        if frame.flags & frames.ACK:
            self._guard.idle()
            return
        for code, value in settings:
            change = self._peer.change(code, value)
            if change and not all(p.send.enlarge(change) for p in self._streams.values()):
                raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "windows that are too large")
            self._blocks.limit(self._peer.header_table)
        if self._peer.greeted:
            self._guard.idle(len(frame.payload))
        self._peer.greeted = True
        self._outgoing.answer(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        if self.load > self.capacity:
            self._return_waiting("the server allows fewer streams now", self.load - self.capacity)
        self._listener.room()

    def _on_ping(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        if len(frame.payload) != 8:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a PING that is not 8 bytes long")
        self._guard.idle()
        if frame.flags & frames.ACK:
            if frame.payload == Lingering.PAYLOAD:
                self._lingering.seen()
                self._listener.wake()
                self._listener.room()
        else:
            self._outgoing.answer(frames.frame(frames.PING, frames.ACK, 0, frame.payload))

    def _on_push(self, frame: Frame) -> None:
        raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"a push on stream {frame.stream_id}")

    def _on_goaway(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        if len(frame.payload) < 8:
            raise ConnectionFault(ErrorCodes.FRAME_SIZE_ERROR, "a GOAWAY that is cut")
        last = frames.number(frame.payload[:4]) & LAST_STREAM_ID
        code = frames.number(frame.payload[4:8])
        self._guard.idle()
        self.draining = True
        beyond = [placement for stream_id, placement in self._streams.items() if stream_id > last]
        for placement in beyond:
            self._forget(placement)
        self._listener.goaway(last, code)
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            for placement in (*beyond, *self._waiting):
                placement.exchange.wants_http1("the server wants HTTP/1.1")
            self._waiting.clear()
        else:
            for placement in reversed(beyond):
                self._unprocessed(placement, "the server went away before it")
            self._return_waiting("the server is going away")
        self._listener.room()

    def _unprocessed(self, placement: Placement, why: str, *, sent: bool = True) -> None:
        placement.exchange.holder = None
        self._listener.unprocessed(placement.exchange, why, sent=sent)

    def _return_waiting(self, why: str, most: int | None = None) -> None:
        """The last ones first, so that they join the front of a line in their order."""
        for _ in range(len(self._waiting) if most is None else min(most, len(self._waiting))):
            self._unprocessed(self._waiting.pop(), why, sent=False)
