"""The streams of one connection on the `h2` state machine, without any I/O.

Whoever owns the connection feeds what was received, and sends what `collect` gives.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

from discordianai.transport.exchange import Exchange, HttpOneOnly, Phase
from discordianai.transport.frames import Data, FrameFilter, Goaway, window_update
from discordianai.transport.uploads import Uploads

STREAM_WINDOW = 262_144
"""Bytes of an answer that may lie unread, for each stream: 2.6 MB/s at a round trip of 100 ms."""

MAX_HEADER_LIST = 65_536
DEFAULT_WINDOW = 65_535  # RFC 9113, 6.9.2


class Listener(Protocol):
    """Who is told what the multiplexer cannot settle by itself. No method waits."""

    def wake(self) -> None:
        """There is something to collect."""

    def room(self) -> None:
        """Streams have ended, or the server's limits have changed."""

    def goaway(self, goaway: Goaway) -> None:
        """The server takes no new streams."""

    def unprocessed(self, exchange: Exchange, why: str) -> None:
        """The server has not processed this one, for sure; it is not on this connection any more."""


class Multiplexer:
    """Every exchange of a connection, from its submission to its end."""

    def __init__(self, max_streams: int, listener: Listener) -> None:
        self._listener = listener
        self._max_streams = max_streams
        self._machine = h2.connection.H2Connection(
            # What goes out is validated where it is translated, once and at less cost.
            h2.config.H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._machine.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST,
            },
        )
        self._machine.initiate_connection()
        # So large that streams whose owners don't read leave the others their windows.
        self._machine.increment_flow_control_window(STREAM_WINDOW * max_streams - DEFAULT_WINDOW)
        self._frames = FrameFilter()
        self._connection_credit = 0
        self._waiting: deque[Exchange] = deque()
        self._streams: dict[int, Exchange] = {}
        self._uploads = Uploads(self._machine)
        self._in_write: list[Exchange] = []
        self._output = bytearray()
        self._ended = False
        self.greeted = False
        """Whether the server's first SETTINGS have come."""
        self.draining = False
        """Whether no new stream may be opened."""
        self._handlers: dict[type[h2.events.Event], Callable[..., None]] = {
            h2.events.ResponseReceived: self._on_response,
            h2.events.DataReceived: self._on_data,
            h2.events.StreamEnded: self._on_end,
            h2.events.TrailersReceived: self._on_trailers,
            h2.events.StreamReset: self._on_reset,
            h2.events.WindowUpdated: self._on_window,
            h2.events.RemoteSettingsChanged: self._on_settings,
        }

    @property
    def load(self) -> int:
        """Exchanges that are here, sent or to be sent."""
        return len(self._streams) + len(self._waiting)

    @property
    def capacity(self) -> int:
        """How many may be here."""
        return min(self._max_streams, self._machine.remote_settings.max_concurrent_streams)

    # Requests

    def submit(self, exchange: Exchange) -> None:
        """Take on a request; the caller has seen that there is room."""
        exchange.holder = self
        exchange.enter(Phase.WRITE)
        self._waiting.append(exchange)
        self._listener.wake()

    def abandon(self, exchange: Exchange) -> None:
        """See `Holder.abandon`: RST_STREAM, unless nothing was sent yet."""
        if exchange.stream_id not in self._streams:
            self._waiting.remove(exchange)
        else:
            self._reset(exchange.stream_id, ErrorCodes.CANCEL)
        self._listener.room()

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `Holder.consumed`."""
        if exchange.direct:
            self._credit(exchange, size)
        else:
            self._acknowledge(size, exchange.stream_id)

    # The wire

    def collect(self) -> bytes:
        """What is to be sent next: the requests that wait, and a frame of each body that is under way.

        Call `sent` when it was.
        """
        while self._waiting and self._start(self._waiting[0]):
            pass
        self._in_write += [self._streams[stream_id] for stream_id in self._uploads.send_a_frame_of_each()]
        self._output += self._machine.data_to_send()
        data = bytes(self._output)
        self._output.clear()
        return data

    def sent(self) -> None:
        """What `collect` gave last has been written: from now on those requests wait for their answers."""
        for exchange in self._in_write:
            if not exchange.complete:
                exchange.enter(Phase.WRITE if exchange.stream_id in self._uploads else Phase.READ)
        self._in_write.clear()

    def receive(self, data: bytes) -> None:
        """Take in what was received. Raises `h2.exceptions.ProtocolError` where it breaks the protocol."""
        data, taken = self._frames.feed(data)
        goaways = []
        for frame in taken:
            if isinstance(frame, Goaway):
                goaways.append(frame)
            else:
                self._on_direct_data(frame)
        try:
            for event in self._machine.receive_data(data) if data else ():
                if handler := self._handlers.get(type(event)):
                    handler(event)
        finally:
            self._flush()
        for goaway in goaways:
            self._on_goaway(goaway)

    def ping(self) -> None:
        """Ask for a sign of life; whatever is received counts as one."""
        self._machine.ping(bytes(8))
        self._flush()

    def end(self, kind: type[httpx.TransportError], why: str) -> bytes:
        """The connection is over: what was not sent can go elsewhere, the rest fails.

        Returns the words of farewell, in case they can still be sent.
        """
        self._ended = self.draining = True
        unsent = list(self._waiting)
        self._waiting.clear()
        for exchange in self._streams.values():
            exchange.failed(kind, why)
        self._streams.clear()
        self._uploads.clear()
        for exchange in reversed(unsent):
            self._listener.unprocessed(exchange, why)
        self._machine.close_connection()
        return self.collect()

    # Sending

    def _start(self, exchange: Exchange) -> bool:
        """Open the stream of a request, if the server allows one more."""
        if self.draining or len(self._streams) >= self._machine.remote_settings.max_concurrent_streams:
            return False
        try:
            stream_id = self._machine.get_next_available_stream_id()
        except h2.exceptions.NoAvailableStreamIDError:
            self.draining = True  # after 2**30 requests
            self._return_waiting("the connection has no more stream ids")
            return False
        self._waiting.popleft()
        exchange.stream_id = stream_id
        self._streams[stream_id] = exchange
        self._machine.send_headers(stream_id, exchange.headers, end_stream=not exchange.body)
        if exchange.body:
            self._uploads.add(stream_id, exchange.body)
        self._in_write.append(exchange)
        return True

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        self._forget(stream_id)
        self._machine.reset_stream(stream_id, code)
        self._flush()

    def _acknowledge(self, size: int, stream_id: int) -> None:
        if not self._ended:
            self._machine.acknowledge_received_data(size, stream_id)
            self._flush()

    def _credit(self, exchange: Exchange, size: int) -> None:
        """Give back window for data that h2 did not see, in portions of half a window, as h2 does."""
        if self._ended:
            return
        self._connection_credit += size
        exchange.credit += size
        update = b""
        if exchange.credit >= STREAM_WINDOW // 2 and exchange.stream_id in self._streams:
            update += window_update(exchange.stream_id, exchange.credit)
            exchange.credit = 0
        if self._connection_credit >= STREAM_WINDOW // 2:
            update += window_update(0, self._connection_credit)
            self._connection_credit = 0
        if update:
            self._output += update
            self._listener.wake()

    def _flush(self) -> None:
        """h2 answers some frames by itself; see that the answer goes out."""
        if data := self._machine.data_to_send():
            self._output += data
            self._listener.wake()

    # Receiving

    def _forget(self, stream_id: int) -> Exchange | None:
        self._uploads.discard(stream_id)
        self._frames.direct.discard(stream_id)
        return self._streams.pop(stream_id, None)

    def _on_response(self, event: h2.events.ResponseReceived) -> None:
        if exchange := self._streams.get(event.stream_id):
            headers = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
            exchange.started(int(headers[0][1]), headers[1:])
            if not any(name == b"content-length" for name, _ in headers):
                # Where there is a length, h2 checks it, and so must see the data.
                exchange.direct = True
                self._frames.direct.add(event.stream_id)

    def _on_data(self, event: h2.events.DataReceived) -> None:
        exchange = self._streams.get(event.stream_id)
        if exchange is not None and not exchange.direct:
            exchange.received(event.data, event.flow_controlled_length)
            return
        # Of a direct stream h2 sees what came in one read with its headers, and the last frame: not so much
        # that the reader would have to acknowledge it.
        if exchange is not None:
            exchange.received(event.data, 0)
        self._acknowledge(event.flow_controlled_length, event.stream_id)

    def _on_direct_data(self, frame: Data) -> None:
        exchange = self._streams[frame.stream_id]
        exchange.received(frame.data, frame.flow_controlled)
        if exchange.unread + exchange.credit > STREAM_WINDOW:
            raise h2.exceptions.FlowControlError("more data than the window of the stream")

    def _on_trailers(self, event: h2.events.TrailersReceived) -> None:
        if exchange := self._streams.get(event.stream_id):
            exchange.trailers = [(bytes(name), bytes(value)) for name, value in event.headers or ()]

    def _on_end(self, event: h2.events.StreamEnded) -> None:
        if event.stream_id in self._uploads:
            # The server has answered without waiting for the whole of the request.
            self._streams[event.stream_id].ended()
            self._reset(event.stream_id, ErrorCodes.CANCEL)
        elif exchange := self._forget(event.stream_id):
            exchange.ended()
        self._listener.room()

    def _on_reset(self, event: h2.events.StreamReset) -> None:
        exchange = self._forget(event.stream_id)
        if exchange is None:
            return
        match event.error_code:
            case ErrorCodes.REFUSED_STREAM:
                self._listener.unprocessed(exchange, "the server refused the stream")
            case ErrorCodes.HTTP_1_1_REQUIRED:
                exchange.failed(HttpOneOnly, "the server wants HTTP/1.1 for this request")
            case code:
                name = code.name if isinstance(code, ErrorCodes) else str(code)
                exchange.failed(httpx.RemoteProtocolError, f"the server reset the stream: {name}")
        self._listener.room()

    def _on_window(self, event: h2.events.WindowUpdated) -> None:  # noqa: ARG002  # any may let a body go on
        if self._uploads:
            self._listener.wake()

    def _on_settings(self, event: h2.events.RemoteSettingsChanged) -> None:
        self.greeted = True
        if SettingCodes.MAX_CONCURRENT_STREAMS in event.changed_settings:
            while self._waiting and self.load > self.capacity:
                self._listener.unprocessed(self._waiting.pop(), "the server allows fewer streams now")
        self._listener.room()
        self._listener.wake()

    def _on_goaway(self, goaway: Goaway) -> None:
        self.draining = True
        self._listener.goaway(goaway)
        beyond = [stream_id for stream_id in self._streams if stream_id > goaway.last_stream_id]
        for stream_id in reversed(beyond):
            if exchange := self._forget(stream_id):
                self._listener.unprocessed(exchange, "the server went away before it")
        self._return_waiting("the server is going away")
        self._listener.room()

    def _return_waiting(self, why: str) -> None:
        while self._waiting:
            self._listener.unprocessed(self._waiting.pop(), why)
