"""HTTP/2 (RFC 9113) on one connection, from a client's side, without any I/O.

Whoever owns the socket passes in what it receives, and sends what `data_to_send` returns. Here are the frames
of the connection as a whole: SETTINGS, PING, GOAWAY, PUSH_PROMISE and WINDOW_UPDATE on stream 0. Frames of
streams go on to the `Multiplexer`. An `Http2StreamError` ends one stream, an `Http2ConnectionError` all of
them.
"""

import httpx
from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.fields import FieldBlockCodec
from discordianai.transport.floods import COSTLY, FloodGuard, ResetStreams
from discordianai.transport.frames import Frame, FrameReader, Http2ConnectionError, Http2StreamError
from discordianai.transport.multiplexer import STREAM_WINDOW, ConnectionEvents, Multiplexer
from discordianai.transport.peer_settings import PeerSettings, connection_preface
from discordianai.transport.send_queue import SendQueue

_KEEPALIVE = bytes(8)
"""Payload of the PINGs that ask for a sign of life."""


class Http2Protocol:
    """Frames of one connection, in and out; `streams` carries its requests."""

    def __init__(self, max_streams: int, events: ConnectionEvents) -> None:
        self._events = events
        self._peer = PeerSettings()
        self._reader = FrameReader()
        self._codec = FieldBlockCodec()
        self._flood_guard = FloodGuard()
        self._send_queue = SendQueue(self._peer, events.output_ready)
        self.streams = Multiplexer(
            max_streams, self._peer, self._codec, self._send_queue, self._flood_guard, events
        )
        self._send_queue.send_control(connection_preface(STREAM_WINDOW, self.streams.window_size))
        self._handlers = {
            frames.DATA: self.streams.on_data,
            frames.HEADERS: self.streams.on_headers,
            frames.PRIORITY: self.streams.on_priority,
            frames.CONTINUATION: self.streams.on_headers,
            frames.RST_STREAM: self.streams.on_rst_stream,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
        }

    @property
    def settings_received(self) -> bool:
        """Whether the server's first SETTINGS have arrived."""
        return self._peer.settings_received

    @property
    def control_written(self) -> bool:
        """Whether all control frames, PINGs included, have been written."""
        return self._send_queue.control_written

    # Sending

    def data_to_send(self) -> bytes:
        """What to send next: control frames, HEADERS of new streams, and one DATA frame of each body.

        Call `data_sent` once it is written.
        """
        parts = [self._send_queue.take_control(), *self.streams.open_streams()]
        bodies = self._send_queue.take_data()
        for body in bodies:
            self._flood_guard.sent(len(body))
        return b"".join(parts + bodies)

    def data_sent(self) -> None:
        """The last `data_to_send` has been written; its requests now wait for their responses."""
        self._send_queue.written()

    def send_ping(self) -> None:
        """Ask for a sign of life; anything received counts as one."""
        self._send_queue.send_control(frames.frame(frames.PING, 0, 0, _KEEPALIVE))

    def terminate(self, kind: type[httpx.TransportError], why: str, code: ErrorCodes) -> bytes:
        """Fail the requests with open streams, and give back those that were not sent.

        Returns the last frames to send, a GOAWAY with `code` at the end.
        """
        self.streams.terminate(kind, why)
        return self._send_queue.take_control() + frames.goaway(code)

    # Receiving

    def receive_data(self, data: bytes, now: float) -> None:
        """Buffer what was received at `now`, in seconds, for `process_frames`."""
        self._flood_guard.tick(now)
        self._reader.feed(data)

    def process_frames(self, limit: int) -> bool:
        """Handle `limit` frames, or fewer that take longer; whether there may be more.

        Raises `Http2ConnectionError`.
        """
        streams, reader = self.streams, self._reader
        while limit > 0:
            if streams.terminated or (frame := reader.next()) is None:
                return False
            self._handle(frame)
            limit -= 1 if frame.kind == frames.DATA else 1 + len(frame.payload) // COSTLY
        return True

    def _handle(self, frame: Frame) -> None:
        kind, codec = frame.kind, self._codec
        if (kind == frames.CONTINUATION or codec.incomplete) and codec.interrupted_by(frame):
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a field block that is interrupted")
        if not self._peer.settings_received and kind not in {frames.SETTINGS, frames.GOAWAY}:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "no SETTINGS as the first frame")
        handler = self._handlers.get(kind)
        if handler is None:
            self._flood_guard.no_progress()  # unknown types are ignored (RFC 9113, 5.5)
            return
        try:
            handler(frame)
        except Http2StreamError as error:
            self.streams.stream_error(frame.stream_id, error)

    def _on_settings(self, frame: Frame) -> None:
        frames.require_stream_zero(frame)
        settings = frames.settings_of(frame)
        if frame.flags & frames.ACK:
            self._flood_guard.no_progress()
            return
        for code, value in settings:
            if change := self._peer.change(code, value):
                self.streams.adjust_send_windows(change)
            self._codec.set_table_size(self._peer.table_size)
        if self._peer.settings_received:
            self._flood_guard.no_progress(len(frame.payload))
        self._peer.settings_received = True
        self._send_queue.send_reply(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        self.streams.return_excess("the server allows fewer streams now")
        self._events.capacity_changed()

    def _on_ping(self, frame: Frame) -> None:
        frames.require_stream_zero(frame)
        if len(frame.payload) != 8:
            raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a PING that is not 8 bytes long")
        self._flood_guard.no_progress()
        if not frame.flags & frames.ACK:
            self._send_queue.send_reply(frames.frame(frames.PING, frames.ACK, 0, frame.payload))
        elif frame.payload == ResetStreams.PING_PAYLOAD:
            self.streams.resets_acknowledged()

    def _on_window_update(self, frame: Frame) -> None:
        self._flood_guard.no_progress()
        increment = frames.uint31(frame.payload)
        if frame.stream_id:
            self.streams.on_window_update(frame.stream_id, increment)
        elif not increment:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")
        elif not self._send_queue.window.enlarge(increment):
            raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "a window that is too large")
        if self._send_queue:
            self._events.output_ready()

    def _on_push_promise(self, frame: Frame) -> None:
        raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, f"a PUSH_PROMISE on stream {frame.stream_id}")

    def _on_goaway(self, frame: Frame) -> None:
        frames.require_stream_zero(frame)
        if len(frame.payload) < 8:
            raise Http2ConnectionError(ErrorCodes.FRAME_SIZE_ERROR, "a GOAWAY that is too short")
        last_stream_id = frames.uint31(frame.payload[:4])
        code = frames.uint32(frame.payload[4:8])
        self._flood_guard.no_progress()
        unprocessed = self.streams.drain(last_stream_id)
        self._events.goaway_received(last_stream_id, code)
        if code == ErrorCodes.HTTP_1_1_REQUIRED:
            self.streams.fall_back_to_http1(unprocessed, "the server requires HTTP/1.1")
        else:
            self.streams.give_back(unprocessed, "the server sent GOAWAY before processing it")
            self.streams.give_back_waiting("the server sent GOAWAY")
        self._events.capacity_changed()
