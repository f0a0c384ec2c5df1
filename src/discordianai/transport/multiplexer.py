"""The requests of one HTTP/2 connection and the streams that carry them (RFC 9113, 5), without any I/O.

A request waits until the server's limit allows its stream. Frames of closed streams are ignored (5.1), except
for their effect on the header compression and on the connection's flow-control window.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

import httpx
from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.exchange import Exchange, Phase
from discordianai.transport.fields import (
    FieldBlock,
    FieldBlockCodec,
    HeaderList,
    parse_response,
    parse_trailers,
)
from discordianai.transport.floods import FloodGuard, ResetStreams
from discordianai.transport.frames import Frame, Http2ConnectionError, Http2StreamError
from discordianai.transport.peer_settings import PeerSettings
from discordianai.transport.send_queue import SendQueue
from discordianai.transport.stream import ReceiveWindow, SendWindow, Stream

STREAM_WINDOW = 262_144
"""Bytes of a response that may be buffered unread, for each stream: 2.6 MB/s at a round trip of 100 ms."""

LAST_STREAM_ID = 2**31 - 1


class ConnectionEvents(Protocol):
    """Told of what concerns more than one stream. No method waits."""

    def output_ready(self) -> None:
        """There is data to send."""

    def capacity_changed(self) -> None:
        """Streams have closed, or the server's limits have changed."""

    def response_started(self) -> None:
        """The server has begun to answer a request."""

    def goaway_received(self, last_stream_id: int, code: int) -> None:
        """The server accepts no new streams."""

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        """The server has certainly not processed this request, which has left the connection."""


class Multiplexer:
    """Every request of a connection, from its submission to its end.

    `max_streams` is the limit of this side. The frames of its streams are passed to the `on_...` methods,
    which raise `Http2StreamError` and `Http2ConnectionError`.
    """

    def __init__(  # what the streams of a connection share
        self,
        max_streams: int,
        peer: PeerSettings,
        codec: FieldBlockCodec,
        send_queue: SendQueue,
        flood_guard: FloodGuard,
        events: ConnectionEvents,
    ) -> None:
        self._max_streams = max_streams
        self._peer = peer
        self._codec = codec
        self._send_queue = send_queue
        self._flood_guard = flood_guard
        self._events = events
        # Large enough for every stream's window: streams whose callers don't read don't block the others.
        self.window_size = STREAM_WINDOW * max_streams
        self._window = ReceiveWindow(self.window_size, STREAM_WINDOW // 2)
        self._waiting: deque[Stream] = deque()
        self._streams: dict[int, Stream] = {}
        self._resets = ResetStreams()
        self._next_id = 1
        self.draining = False
        """Whether no new streams may be opened."""
        self.terminated = False

    @property
    def load(self) -> int:
        """Requests that are here, sent or not."""
        return len(self._streams) + len(self._waiting)

    @property
    def capacity(self) -> int:
        """How many requests may be here."""
        return min(self._max_streams, self._peer.max_streams)

    @property
    def free_slots(self) -> int:
        """How many more requests may be submitted; streams that the server may still count take a slot."""
        of_server = self._peer.max_streams - len(self._streams) - self._resets.count
        return min(self._max_streams - len(self._streams), of_server) - len(self._waiting)

    # The requests' side

    def submit(self, exchange: Exchange) -> None:
        """Take a request; the caller has checked `free_slots`."""
        stream = Stream(exchange, self)
        exchange.handler = stream
        exchange.enter(Phase.WRITE)
        self._waiting.append(stream)
        self._events.output_ready()

    def cancel(self, stream: Stream) -> None:
        """See `stream.StreamOwner`: reset the stream, if it was opened."""
        if stream.stream_id:
            self._reset_stream(stream)
        else:
            self._waiting.remove(stream)
        self._events.capacity_changed()

    def consumed(self, stream: Stream, size: int) -> None:
        """See `stream.StreamOwner`."""
        if self.terminated:
            return
        if stream.stream_id in self._streams and (increment := stream.receive_window.consumed(size)):
            self._send_queue.send_control(frames.window_update(stream.stream_id, increment))
        self._return_window(size)

    # The connection's side

    def open_streams(self) -> list[bytes]:
        """The HEADERS of waiting requests, as many as the limit allows.

        If reset streams keep others waiting, a PING follows that shows when the server has seen the resets.
        """
        opened = []
        while self._waiting and self._may_open_stream() and not self.draining:
            opened.append(self._open_stream())
        if self.free_slots <= 0 and self._resets.ping_due():
            opened.append(frames.frame(frames.PING, 0, 0, ResetStreams.PING_PAYLOAD))
        return opened

    def resets_acknowledged(self) -> None:
        """The PING behind the resets has come back."""
        self._resets.ping_acknowledged()
        self._events.output_ready()
        self._events.capacity_changed()

    def adjust_send_windows(self, change: int) -> None:
        """Change every stream's window by so many bytes (RFC 9113, 6.9.2). Raises `Http2ConnectionError`."""
        if not all(stream.send_window.enlarge(change) for stream in self._streams.values()):
            raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "windows that are too large")

    def drain(self, last_stream_id: int) -> list[Stream]:
        """Open no new streams, and close those after `last_stream_id`, which are returned."""
        self.draining = True
        beyond = [stream for stream_id, stream in self._streams.items() if stream_id > last_stream_id]
        for stream in beyond:
            self._close_stream(stream)
        return beyond

    def give_back(self, streams: list[Stream], why: str) -> None:
        """Give back requests that the server has not processed, the last one first.

        So each joins the front of a queue, and their order is kept.
        """
        for stream in reversed(streams):
            self._unprocessed(stream, why)

    def give_back_waiting(self, why: str, limit: int | None = None) -> None:
        """Give back requests that were not sent, the last one first, at most `limit` of them."""
        for _ in range(len(self._waiting) if limit is None else min(limit, len(self._waiting))):
            self._unprocessed(self._waiting.pop(), why, sent=False)

    def return_excess(self, why: str) -> None:
        """Give back waiting requests that are above `capacity`."""
        if self.load > self.capacity:
            self.give_back_waiting(why, self.load - self.capacity)

    def fall_back_to_http1(self, unprocessed: Iterable[Stream], why: str) -> None:
        """Have these and the waiting requests sent over HTTP/1.1."""
        for stream in (*unprocessed, *self._waiting):
            stream.exchange.fall_back_to_http1(why)
        self._waiting.clear()

    def stream_error(self, stream_id: int, error: Http2StreamError) -> None:
        """Reset a stream for what the server sent on it (RFC 9113, 5.4.2 and 8.1.1)."""
        if stream := self._streams.get(stream_id):
            self._close_stream(stream)
            stream.exchange.fail(httpx.RemoteProtocolError, f"the server sent {error}")
            self._events.capacity_changed()
            self._send_queue.send_reply(frames.rst_stream(stream_id, error.code))

    def terminate(self, kind: type[httpx.TransportError], why: str) -> None:
        """Fail the requests with open streams, and give back those that wait."""
        self.terminated = self.draining = True
        for stream in self._streams.values():
            stream.exchange.fail(kind, why)
        self._streams.clear()
        self._send_queue.clear()
        self.give_back_waiting(why)

    # Frames of streams

    def on_data(self, frame: Frame) -> None:
        """DATA (RFC 9113, 6.1)."""
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

    def on_headers(self, frame: Frame) -> None:
        """HEADERS and CONTINUATION (RFC 9113, 6.2 and 6.10)."""
        complete = self._codec.add(frame)
        if complete is None:
            self._flood_guard.no_progress()
            return
        block, fields = complete
        if stream := self._find(block.stream_id, len(block.data)):
            if stream.headers_received:
                self._on_trailers(stream, fields, block.end_stream)
            else:
                self._on_response(stream, block, fields)

    def on_rst_stream(self, frame: Frame) -> None:
        """RST_STREAM (RFC 9113, 6.4)."""
        code = frames.uint32(frame.payload)
        stream = self._find(frame.stream_id)
        if stream is None:
            return
        self._close_stream(stream)
        exchange = stream.exchange
        if code == ErrorCodes.REFUSED_STREAM:
            self._unprocessed(stream, "the server refused the stream")
        elif code == ErrorCodes.HTTP_1_1_REQUIRED:
            exchange.fall_back_to_http1("the server requires HTTP/1.1 for this request")
        else:
            exchange.fail(httpx.RemoteProtocolError, f"the server reset the stream: {frames.name_of(code)}")
        self._events.capacity_changed()

    def on_priority(self, frame: Frame) -> None:
        """PRIORITY is deprecated and means nothing, whatever the stream's state (RFC 9113, 5.3.2)."""
        self._flood_guard.no_progress()
        if not frame.stream_id:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a PRIORITY on stream 0")
        if len(frame.payload) != 5:
            raise Http2StreamError(ErrorCodes.FRAME_SIZE_ERROR, "a PRIORITY that is not 5 bytes long")

    def on_window_update(self, stream_id: int, increment: int) -> None:
        """WINDOW_UPDATE of a stream (RFC 9113, 6.9)."""
        if stream := self._find(stream_id):
            if not increment:
                raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")
            if not stream.send_window.enlarge(increment):
                raise Http2StreamError(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")

    def _on_response(self, stream: Stream, block: FieldBlock, fields: HeaderList) -> None:
        response = parse_response(fields)
        if response.informational:
            self._flood_guard.no_progress(len(block.data))
            if block.end_stream:
                raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "no final response")
            return
        exchange = stream.exchange
        stream.headers_received = True
        stream.content_length = response.content_length(exchange.headers[0][1])
        exchange.response_started(response.status, response.headers, stream.stream_id)
        self._flood_guard.progress()
        if self._resets.response_on(stream.stream_id):
            self._events.capacity_changed()
        self._events.response_started()
        if block.end_stream:
            self._response_complete(stream)

    def _on_trailers(self, stream: Stream, fields: HeaderList, end_stream: bool) -> None:
        if not end_stream:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "HEADERS in the middle of its content")
        stream.exchange.trailers = parse_trailers(fields)
        self._response_complete(stream)

    def _response_complete(self, stream: Stream) -> None:
        """END_STREAM has come, perhaps before all of the request was sent; then nobody reads the rest."""
        if stream.content_length is not None and stream.received_length != stream.content_length:
            raise Http2StreamError(ErrorCodes.PROTOCOL_ERROR, "less content than it announced")
        stream.exchange.finish()
        if stream.upload is None:
            self._close_stream(stream)
        else:
            self._reset_stream(stream)
        self._events.capacity_changed()

    # Streams

    def _may_open_stream(self) -> bool:
        return len(self._streams) + self._resets.count < self._peer.max_streams

    def _open_stream(self) -> bytes:
        """The HEADERS, and perhaps CONTINUATION frames, of the first waiting request."""
        stream = self._waiting.popleft()
        stream_id, self._next_id = self._next_id, self._next_id + 2
        window = ReceiveWindow(STREAM_WINDOW, STREAM_WINDOW // 2)
        stream.open(stream_id, SendWindow(self._peer.stream_window), window)
        self._streams[stream_id] = stream
        self._send_queue.start(stream)
        self._flood_guard.progress()
        if self._next_id > LAST_STREAM_ID:
            self.draining = True  # after 2**30 requests
            self.give_back_waiting("the connection has no more stream identifiers")
        block = self._codec.encode(stream.exchange.headers)
        return frames.headers(stream_id, block, self._peer.frame_size, end_stream=stream.upload is None)

    def _find(self, stream_id: int, size: int = 0) -> Stream | None:
        """The open stream; None if it is closed, and `size` bytes of a field block were decoded in vain.

        Raises `Http2ConnectionError` if it is idle: it was never opened.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            if not stream_id & 1 or stream_id >= self._next_id:
                raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, f"a frame on idle stream {stream_id}")
            self._flood_guard.no_progress(size)
        return stream

    def _reset_stream(self, stream: Stream) -> None:
        if self._close_stream(stream):
            self._resets.add(self._next_id)
            self._send_queue.send_control(frames.rst_stream(stream.stream_id, ErrorCodes.CANCEL))

    def _close_stream(self, stream: Stream) -> bool:
        """Whether the stream was open. What is unread returns its part of the connection's window."""
        if self._streams.pop(stream.stream_id, None) is None:
            return False
        self._send_queue.discard(stream)
        unread, stream.exchange.unread = stream.exchange.unread, 0
        self._return_window(unread)
        return True

    def _return_window(self, size: int) -> None:
        """Let the server send `size` more bytes on the connection."""
        if increment := self._window.consumed(size):
            self._send_queue.send_control(frames.window_update(0, increment))

    def _unprocessed(self, stream: Stream, why: str, *, sent: bool = True) -> None:
        stream.exchange.handler = None
        self._events.unprocessed(stream.exchange, why, sent=sent)
