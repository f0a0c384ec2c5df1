"""The streams of one connection, without any I/O: RFC 9113 as far as a client has to do with it.

Whoever owns the connection feeds what was received, and sends what `data_to_send` gives. `Http2StreamError`
ends one stream, `Http2ConnectionError` all of them. Frames of closed streams are ignored (5.1), except for
their effect on the header table and on the connection's window.
"""

from collections import deque
from typing import Protocol

import httpx
from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.compression import FieldBlock, FieldBlockCodec, HeaderList
from discordianai.transport.exchange import Exchange, Phase
from discordianai.transport.fields import response_of, trailers_of
from discordianai.transport.floods import COSTLY, FloodGuard
from discordianai.transport.frames import Frame, FrameReader
from discordianai.transport.peer_settings import PeerSettings, connection_preface
from discordianai.transport.protocol_errors import Http2ConnectionError, Http2StreamError
from discordianai.transport.reset_streams import ResetStreams
from discordianai.transport.send_queue import SendQueue
from discordianai.transport.stream import Stream
from discordianai.transport.windows import ReceiveWindow, SendWindow

STREAM_WINDOW = 262_144
"""Bytes of an answer that may lie unread, for each stream: 2.6 MB/s at a round trip of 100 ms."""

LAST_STREAM_ID = 2**31 - 1


class ConnectionEvents(Protocol):
    """Who is told what the multiplexer cannot settle by itself. No method waits."""

    def output_ready(self) -> None:
        """There is something to collect."""

    def capacity_changed(self) -> None:
        """Streams have ended, or the server's limits have changed."""

    def response_started(self) -> None:
        """The server has begun to answer a request."""

    def goaway_received(self, last_stream_id: int, code: int) -> None:
        """The server takes no new streams."""

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        """The server has not processed this one, for sure; it is not on this connection any more."""


class Multiplexer:
    """Every exchange of a connection, from its submission to its end."""

    def __init__(self, max_streams: int, listener: ConnectionEvents) -> None:
        self._listener = listener
        self._max_streams = max_streams
        self._peer = PeerSettings()
        self._reader = FrameReader()
        self._field_blocks = FieldBlockCodec()
        self._flood_guard = FloodGuard()
        # So large that streams whose owners don't read leave the others their windows.
        size = STREAM_WINDOW * max_streams
        self._window = ReceiveWindow(size, STREAM_WINDOW // 2)
        self._waiting: deque[Stream] = deque()
        self._streams: dict[int, Stream] = {}
        self._resets = ResetStreams()
        self._next_id = 1
        self._send_queue = SendQueue(self._peer, listener.output_ready)
        self._send_queue.send_control(connection_preface(STREAM_WINDOW, size))
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
            frames.WINDOW_UPDATE: self._on_window_update,
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
    def free_slots(self) -> int:
        """Places for further requests, without those that the server may still count."""
        of_server = self._peer.max_streams - len(self._streams) - self._resets.count
        return min(self._max_streams - len(self._streams), of_server) - len(self._waiting)

    @property
    def settings_received(self) -> bool:
        """Whether the server's first SETTINGS have come."""
        return self._peer.settings_received

    @property
    def control_written(self) -> bool:
        """Whether answers and PINGs are written."""
        return self._send_queue.control_written

    # Requests

    def submit(self, exchange: Exchange) -> None:
        """Take on a request; the caller has seen that there is room."""
        stream = Stream(exchange, self)
        exchange.handler = stream
        exchange.enter(Phase.WRITE)
        self._waiting.append(stream)
        self._listener.output_ready()

    def cancel(self, stream: Stream) -> None:
        """See `stream.Streams`: RST_STREAM, unless nothing was sent yet."""
        if stream.stream_id:
            self._reset_stream(stream, ErrorCodes.CANCEL)
        else:
            self._waiting.remove(stream)
        self._listener.capacity_changed()

    def consumed(self, stream: Stream, size: int) -> None:
        """See `stream.Streams`."""
        if self._ended:
            return
        if stream.stream_id in self._streams and (increment := stream.receive_window.consumed(size)):
            self._send_queue.send_control(frames.window_update(stream.stream_id, increment))
        self._return_window(size)

    # The wire

    def data_to_send(self) -> bytes:
        """What is to be sent next: answers and PINGs, the requests that wait, and a frame of each body.

        Call `data_sent` when it was.
        """
        parts = [self._send_queue.take_control()]
        while self._waiting and self._may_open_stream() and not self.draining:
            parts.append(self._open_stream())
        if self.free_slots <= 0 and self._resets.ping_due():
            parts.append(frames.frame(frames.PING, 0, 0, ResetStreams.PING_PAYLOAD))
        bodies = self._send_queue.take_data()
        for body in bodies:
            self._flood_guard.sent(len(body))
        return b"".join(parts + bodies)

    def data_sent(self) -> None:
        """The last `data_to_send` has been written: its requests now wait for their responses."""
        self._send_queue.written()

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in what was received at `now`, in seconds; `process_frames` makes something of it."""
        self._flood_guard.tick(now)
        self._reader.feed(data)

    def process_frames(self, most: int) -> bool:
        """Handle so many frames, or fewer that take longer; whether there may be more.

        Raises `Http2ConnectionError`.
        """
        while most > 0:
            if self._ended or (frame := self._reader.next()) is None:
                return False
            self._handle(frame)
            most -= 1 if frame.kind == frames.DATA else 1 + len(frame.payload) // COSTLY
        return True

    def send_ping(self) -> None:
        """Ask for a sign of life; whatever is received counts as one."""
        self._send_queue.send_control(frames.frame(frames.PING, 0, 0, bytes(8)))

    def terminate(self, kind: type[httpx.TransportError], why: str, code: ErrorCodes) -> bytes:
        """The connection is over: what was not sent can go elsewhere, the rest fails.

        Returns the words of farewell, in case they can still be sent.
        """
        self._ended = self.draining = True
        for stream in self._streams.values():
            stream.exchange.fail(kind, why)
        self._streams.clear()
        self._send_queue.clear()
        self._return_waiting(why)
        return self._send_queue.take_control() + frames.goaway(code)

    # Sending

    def _open_stream(self) -> bytes:
        """The frames that open a stream for the first request that waits."""
        stream = self._waiting.popleft()
        stream_id, self._next_id = self._next_id, self._next_id + 2
        window = ReceiveWindow(STREAM_WINDOW, STREAM_WINDOW // 2)
        stream.open(stream_id, SendWindow(self._peer.stream_window), window)
        self._streams[stream_id] = stream
        self._send_queue.start(stream)
        self._flood_guard.progress()
        if self._next_id > LAST_STREAM_ID:
            self.draining = True  # after 2**30 requests
            self._return_waiting("the connection has no more stream ids")
        block = self._field_blocks.encode(stream.exchange.headers)
        return frames.headers(stream_id, block, self._peer.frame_size, end_stream=stream.upload is None)

    def _may_open_stream(self) -> bool:
        return len(self._streams) + self._resets.count < self._peer.max_streams

    def _reset_stream(self, stream: Stream, code: ErrorCodes) -> None:
        if self._close_stream(stream):
            self._resets.add(self._next_id)
            self._send_queue.send_control(frames.rst_stream(stream.stream_id, code))

    def _return_window(self, size: int) -> None:
        """So much of the connection's window is free_slots again."""
        if increment := self._window.consumed(size):
            self._send_queue.send_control(frames.window_update(0, increment))

    # Receiving

    def _handle(self, frame: Frame) -> None:
        kind = frame.kind
        blocks = self._field_blocks
        if (kind == frames.CONTINUATION or blocks.begun) and blocks.interrupted_by(frame):
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a header block that is interrupted")
        if not self._peer.settings_received and kind not in {frames.SETTINGS, frames.GOAWAY}:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "no SETTINGS as the first frame")
        handler = self._handlers.get(kind)
        if handler is None:
            self._flood_guard.no_progress()  # of a type that is not known (RFC 9113, 5.5)
            return
        try:
            handler(frame)
        except Http2StreamError as fault:
            self._stream_error(frame.stream_id, fault)

    def _find(self, stream_id: int, size: int = 0) -> Stream | None:
        """Whose stream it is; None if it is over, and `size` bytes were decoded for nothing.

        Raises `Http2ConnectionError` if it was never opened.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            if not stream_id & 1 or stream_id >= self._next_id:
                raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, f"a frame on idle stream {stream_id}")
            self._flood_guard.no_progress(size)
        return stream

    def _close_stream(self, stream: Stream) -> bool:
        """The stream is over; whether it was not before. What lies unread gives up its part of the window."""
        if self._streams.pop(stream.stream_id, None) is None:
            return False
        self._send_queue.discard(stream)
        unread, stream.exchange.unread = stream.exchange.unread, 0
        self._return_window(unread)
        return True

    def _stream_error(self, stream_id: int, fault: Http2StreamError) -> None:
        """RFC 9113, 8.1.1 and 5.4.2."""
        if stream := self._streams.get(stream_id):
            self._close_stream(stream)
            stream.exchange.fail(httpx.RemoteProtocolError, f"the server sent {fault}")
            self._listener.capacity_changed()
            self._send_queue.send_reply(frames.rst_stream(stream_id, fault.code))

    def _on_data(self, frame: Frame) -> None:
        data, size = frames.without_padding(frame), len(frame.payload)
        self._window.received(size)
        stream = self._find(frame.stream_id)
        if stream is None:
            self._return_window(size)
            return
        stream.receive_window.received(size)
        exchange = stream.exchange
        exchange.unread += size
        if not stream.headers_received:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "content before its headers")
        stream.received_length += len(data)
        if stream.content_length is not None and stream.received_length > stream.content_length:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "more content than it announced")
        exchange.data_received(data)
        if frame.flags & frames.END_STREAM:
            self._response_complete(stream)
        else:
            self._flood_guard.received(len(data), size)

    def _on_headers(self, frame: Frame) -> None:
        whole = self._field_blocks.add(frame)
        if whole is None:
            self._flood_guard.no_progress()
            return
        block, fields = whole
        if stream := self._find(block.stream_id, len(block.data)):
            if stream.headers_received:
                self._on_trailers(stream, fields, block.end_stream)
            else:
                self._on_response(stream, block, fields)

    def _on_response(self, stream: Stream, block: FieldBlock, fields: HeaderList) -> None:
        response = response_of(fields)
        if response.informational:
            self._flood_guard.no_progress(len(block.data))
            if block.end_stream:
                raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "no answer")
            return
        exchange = stream.exchange
        stream.headers_received = True
        stream.content_length = response.content_length(exchange.headers[0][1])
        exchange.response_started(response.status, response.headers, stream.stream_id)
        self._flood_guard.progress()
        if self._resets.response_on(stream.stream_id):
            self._listener.capacity_changed()
        self._listener.response_started()
        if block.end_stream:
            self._response_complete(stream)

    def _on_trailers(self, stream: Stream, fields: HeaderList, end_stream: bool) -> None:
        if not end_stream:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "headers in the midst of its content")
        stream.exchange.trailers = trailers_of(fields)
        self._response_complete(stream)

    def _response_complete(self, stream: Stream) -> None:
        """The answer is whole, perhaps before the request was: then nobody reads the rest of that."""
        if stream.content_length is not None and stream.received_length != stream.content_length:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "less content than it announced")
        stream.exchange.finish()
        if stream.upload is None:
            self._close_stream(stream)
        else:
            self._reset_stream(stream, ErrorCodes.CANCEL)
        self._listener.capacity_changed()

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number(frame.payload)
        stream = self._find(frame.stream_id)
        if stream is None:
            return
        self._close_stream(stream)
        exchange = stream.exchange
        if code == ErrorCodes.REFUSED_STREAM:
            self._unprocessed(stream, "the server refused the stream")
        elif code == ErrorCodes.HTTP_1_1_REQUIRED:
            exchange.fall_back_to_http1("the server wants HTTP/1.1 for this request")
        else:
            exchange.fail(httpx.RemoteProtocolError, f"the server reset the stream: {frames.name_of(code)}")
        self._listener.capacity_changed()

    def _on_priority(self, frame: Frame) -> None:
        """RFC 9113, 5.3.2: it means nothing any more, whatever state its stream is in."""
        self._flood_guard.no_progress()
        if not frame.stream_id:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a priority of no stream")
        if len(frame.payload) != 5:
            raise Http2StreamError(ErrorCodes.FRAME_SIZE_ERROR, "a priority that is not 5 bytes long")

    def _on_window_update(self, frame: Frame) -> None:
        self._flood_guard.no_progress()
        increment = frames.increment_of(frame.payload)
        if not frame.stream_id:
            if not increment:
                raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a window update of nothing")
            if not self._peer.window.enlarge(increment):
                raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        elif stream := self._find(frame.stream_id):
            if not increment:
                raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "a window update of nothing")
            if not stream.send_window.enlarge(increment):
                raise Http2StreamError(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        if self._send_queue:
            self._listener.output_ready()

    def _on_settings(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        settings = frames.settings_of(frame)
        if frame.flags & frames.ACK:
            self._flood_guard.no_progress()
            return
        for code, value in settings:
            change = self._peer.change(code, value)
            if change and not all(p.send_window.enlarge(change) for p in self._streams.values()):
                raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "windows that are too large")
            self._field_blocks.limit(self._peer.header_table)
        if self._peer.settings_received:
            self._flood_guard.no_progress(len(frame.payload))
        self._peer.settings_received = True
        self._send_queue.send_reply(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        if self.load > self.capacity:
            self._return_waiting("the server allows fewer streams now", self.load - self.capacity)
        self._listener.capacity_changed()

    def _on_ping(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        if len(frame.payload) != 8:
            raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a PING that is not 8 bytes long")
        self._flood_guard.no_progress()
        if frame.flags & frames.ACK:
            if frame.payload == ResetStreams.PING_PAYLOAD:
                self._resets.ping_acknowledged()
                self._listener.output_ready()
                self._listener.capacity_changed()
        else:
            self._send_queue.send_reply(frames.frame(frames.PING, frames.ACK, 0, frame.payload))

    def _on_push(self, frame: Frame) -> None:
        raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, f"a push on stream {frame.stream_id}")

    def _on_goaway(self, frame: Frame) -> None:
        frames.check_of_connection(frame)
        if len(frame.payload) < 8:
            raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a GOAWAY that is cut")
        last = frames.number(frame.payload[:4]) & LAST_STREAM_ID
        code = frames.number(frame.payload[4:8])
        self._flood_guard.no_progress()
        self.draining = True
        beyond = [stream for stream_id, stream in self._streams.items() if stream_id > last]
        for stream in beyond:
            self._close_stream(stream)
        self._listener.goaway_received(last, code)
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            for stream in (*beyond, *self._waiting):
                stream.exchange.fall_back_to_http1("the server wants HTTP/1.1")
            self._waiting.clear()
        else:
            for stream in reversed(beyond):
                self._unprocessed(stream, "the server went away before it")
            self._return_waiting("the server is going away")
        self._listener.capacity_changed()

    def _unprocessed(self, stream: Stream, why: str, *, sent: bool = True) -> None:
        stream.exchange.handler = None
        self._listener.unprocessed(stream.exchange, why, sent=sent)

    def _return_waiting(self, why: str, most: int | None = None) -> None:
        """The last ones first, so that they join the front of a line in their order."""
        for _ in range(len(self._waiting) if most is None else min(most, len(self._waiting))):
            self._unprocessed(self._waiting.pop(), why, sent=False)
