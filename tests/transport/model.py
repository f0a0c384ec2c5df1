"""A server in memory that knows by itself what streams and windows are, and watches what the client does.

It is written from RFC 9113 and shares no code with the transport, and none with h2.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import hpack
import trio
from anyio.abc import ByteStream
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL, REFUSED_STREAM, INTERNAL_ERROR = 8, 7, 2
MAX_IN_FRAME = 16_384


@dataclass(eq=False)
class ModelStream:
    """One stream, as the server sees it."""

    stream_id: int
    number: int
    """The request that it carries."""
    may_send: int
    may_receive: int
    request_ended: bool = False
    headers_sent: bool = False
    closed_here: bool = False
    """The server has ended or reset it."""
    void: bool = False
    """The server takes no more of the request."""
    reset_by_client: bool = False
    beyond_goaway: bool = False
    to_send: bytes = b""
    ending: bool = False
    with_reset: bool = False
    sent: int = 0
    """Bytes of the answer that are sent."""

    @property
    def open(self) -> bool:
        return not (self.reset_by_client or self.void or (self.closed_here and self.request_ended))

    @property
    def can_answer(self) -> bool:
        return not (self.closed_here or self.reset_by_client or self.beyond_goaway or self.headers_sent)


@dataclass
class Record:
    """What became of the requests at the servers: numbers of those that met something."""

    seen_at: dict[int, float] = field(default_factory=dict)
    """When the first HEADERS of each request came, in seconds."""
    processed: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    harmed: set[int] = field(default_factory=set)
    given_back: dict[int, int] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    """Those whose owners were told to leave, or have been failed, so that a reset is in order."""
    complaints: list[str] = field(default_factory=list)


class ModelServer:
    """One connection."""

    def __init__(self, record: Record, max_streams: int, window: int, answer: Callable[[int], bytes]) -> None:
        self.record = record
        self.answer_of = answer
        self.streams: dict[int, ModelStream] = {}
        self.to_client = bytearray()
        self.cut = self.closed = self.stalled = self.well = False
        self.news, self.flowing = trio.Event(), trio.Event()
        self.window = window
        self.client_window = 65_535
        self.may_send = self.may_receive = 65_535
        self.whole = 0
        """The client's window of the connection, once it has said so."""
        self.goaway_after: int | None = None
        self.hoarding = False
        self._owed: dict[int, int] = {}
        self._unacknowledged: deque[dict[int, int]] = deque()
        self._decoder, self._encoder = hpack.Decoder(), hpack.Encoder()
        self._data = bytearray()
        self._greeted = False
        self._limits = [max_streams]
        """Those that the client may go by."""
        self.settings({3: max_streams, 4: window})

    # What the client says

    def receive(self, data: bytes) -> None:
        self._data += data
        if not self._greeted:
            assert self._data.startswith(PREFACE)
            del self._data[: len(PREFACE)]
            self._greeted = True
        while len(self._data) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(bytes(self._data[:9])))
            if len(self._data) < 9 + length:
                return
            frame.parse_body(memoryview(bytes(self._data[9 : 9 + length])))
            del self._data[: 9 + length]
            self._on(frame)
        self.push()

    def _on(self, frame: Frame) -> None:
        match frame:
            case SettingsFrame():
                self._on_settings(frame)
            case WindowUpdateFrame():
                self._on_window_update(frame)
            case HeadersFrame():
                self._on_headers(frame)
            case DataFrame():
                self._on_data(frame)
            case RstStreamFrame():
                self._on_reset(frame)
            case PingFrame() | GoAwayFrame():
                pass
            case _:
                self._complain(f"unexpected {frame}")

    def _complain(self, what: str) -> None:
        self.record.complaints.append(what)

    def _on_settings(self, frame: SettingsFrame) -> None:
        if "ACK" in frame.flags:
            changed = self._unacknowledged.popleft()
            if 3 in changed:
                self._limits.pop(0)
            if 4 in changed:
                change, self.window = changed[4] - self.window, changed[4]
                for stream in self.streams.values():
                    stream.may_receive += change
        else:
            self.client_window = frame.settings[4]
            ack = SettingsFrame(0)
            ack.flags.add("ACK")
            self.say(ack)

    def _on_window_update(self, frame: WindowUpdateFrame) -> None:
        if not frame.stream_id:
            self.may_send += frame.window_increment
            self.whole = self.whole or self.may_send
            if self.may_send > self.whole:
                self._complain("more credit for the connection than was used")
            return
        stream = self.streams[frame.stream_id]
        if stream.reset_by_client:
            self._complain("credit for a stream that was reset")
        stream.may_send += frame.window_increment
        if stream.may_send > self.client_window:
            self._complain("more credit for a stream than was used")

    def _on_headers(self, frame: HeadersFrame) -> None:
        fields = {bytes(name): bytes(value) for name, value in self._decoder.decode(frame.data, raw=True)}
        number = int(fields[b":path"][1:])
        if frame.stream_id % 2 == 0 or frame.stream_id <= max(self.streams, default=0):
            self._complain(f"stream {frame.stream_id} after {max(self.streams, default=0)}")
        if sum(stream.open for stream in self.streams.values()) >= max(self._limits):
            self._complain("more streams than allowed")
        if number in self.record.processed:
            self._complain(f"request {number} again, which was processed")
        self.record.seen_at.setdefault(number, trio.current_time())
        stream = ModelStream(frame.stream_id, number, self.client_window, self.window)
        self.streams[frame.stream_id] = stream
        if self.goaway_after is not None and frame.stream_id > self.goaway_after:
            stream.beyond_goaway = stream.closed_here = stream.void = True
            self._give_back(stream)
        stream.request_ended = "END_STREAM" in frame.flags

    def _on_data(self, frame: DataFrame) -> None:
        stream, size = self.streams[frame.stream_id], frame.flow_controlled_length
        if stream.request_ended or stream.reset_by_client:
            self._complain("data on a stream that the client has ended")
        stream.may_receive -= size
        self.may_receive -= size
        if size and (stream.may_receive < 0 or self.may_receive < 0):
            self._complain("more data than the window")
        stream.request_ended = "END_STREAM" in frame.flags
        self._owe(0, size)
        if stream.open:
            self._owe(stream.stream_id, size)

    def _on_reset(self, frame: RstStreamFrame) -> None:
        stream = self.streams.get(frame.stream_id)
        if stream is None or stream.reset_by_client:
            self._complain(f"a reset of stream {frame.stream_id}, which is idle or was reset")
            return
        number = stream.number
        if number not in self.record.left | self.record.answered:
            self._complain(f"a reset of request {number}, whose owner waits")
        stream.reset_by_client = True

    def _owe(self, stream_id: int, size: int) -> None:
        self._owed[stream_id] = self._owed.get(stream_id, 0) + size

    # What the server says

    def say(self, *frames: Frame) -> None:
        self.to_client += b"".join(frame.serialize() for frame in frames)
        self.news.set()

    def push(self) -> None:
        """Send what windows allow of the answers, and give back windows."""
        for stream in self.streams.values():
            while stream.to_send and not stream.reset_by_client and min(stream.may_send, self.may_send) > 0:
                self._send_some(stream)
            if stream.ending and not stream.to_send and not stream.closed_here and not stream.reset_by_client:
                self._finish(stream)
        if not self.hoarding:
            owed, self._owed = self._owed, {}
            for stream_id, size in owed.items():
                if size and (not stream_id or self.streams[stream_id].open):
                    self.credit(stream_id, size)

    def credit(self, stream_id: int, size: int) -> None:
        update = WindowUpdateFrame(stream_id, 1)
        update.window_increment = size
        self.say(update)
        if stream_id:
            self.streams[stream_id].may_receive += size
        else:
            self.may_receive += size

    def _send_some(self, stream: ModelStream) -> None:
        size = min(stream.may_send, self.may_send, MAX_IN_FRAME)
        piece, stream.to_send = stream.to_send[:size], stream.to_send[size:]
        stream.may_send -= len(piece)
        self.may_send -= len(piece)
        stream.sent += len(piece)
        self.say(DataFrame(stream.stream_id, piece))

    def _finish(self, stream: ModelStream) -> None:
        end = DataFrame(stream.stream_id)
        end.flags.add("END_STREAM")
        self.say(end)
        stream.closed_here = True
        self.record.answered.add(stream.number)
        if stream.with_reset:
            stream.void = True
            self.say(RstStreamFrame(stream.stream_id, 0))

    def _headers(self, stream: ModelStream, *fields: tuple[str, str]) -> HeadersFrame:
        frame = HeadersFrame(stream.stream_id, self._encoder.encode(fields))
        frame.flags.add("END_HEADERS")
        return frame

    def answer(self, stream: ModelStream, *, length: bool, with_reset: bool = False) -> None:
        """Answer at once, whether the request is whole or not."""
        body = self.answer_of(stream.number)
        fields = [(":status", "200"), ("x-number", str(stream.number))]
        if length:
            fields.append(("content-length", str(len(body))))
        self.record.processed.add(stream.number)
        stream.headers_sent = True
        self.say(self._headers(stream, *fields))
        stream.to_send, stream.ending = body, True
        stream.with_reset = with_reset and not stream.request_ended
        self.push()

    def reset(self, stream: ModelStream, code: int) -> None:
        stream.closed_here = stream.void = True
        stream.to_send = b""
        if code == REFUSED_STREAM:
            self._give_back(stream)
        else:
            self.record.harmed.add(stream.number)
        self.say(RstStreamFrame(stream.stream_id, code))

    def _give_back(self, stream: ModelStream) -> None:
        self.record.given_back[stream.number] = self.record.given_back.get(stream.number, 0) + 1

    def goaway(self, last: int) -> None:
        if self.goaway_after is not None:
            last = min(last, self.goaway_after)
        self.goaway_after = last
        for stream in self.streams.values():
            if stream.stream_id > last and stream.can_answer:
                stream.beyond_goaway = stream.closed_here = stream.void = True
                self._give_back(stream)
        self.say(GoAwayFrame(0, last_stream_id=last))

    def settings(self, values: dict[int, int]) -> None:
        self._unacknowledged.append(values)
        if 3 in values:
            self._limits.append(values[3])
        self.say(SettingsFrame(0, values))

    def late(self, stream: ModelStream) -> None:
        """As if the client's reset had not arrived yet."""
        self.say(
            self._headers(stream, (":status", "103"), ("x-late", str(stream.stream_id))),
            RstStreamFrame(stream.stream_id, INTERNAL_ERROR),
        )
        size = min(1000, self.may_send)
        if size > 0:
            self.may_send -= size
            self.say(DataFrame(stream.stream_id, b"z" * size))

    def end(self) -> None:
        """Cut the connection."""
        self.cut = True
        for stream in self.streams.values():
            if stream.number not in self.record.answered:
                self.record.harmed.add(stream.number)
        self.news.set()
        self.flowing.set()

    def stall(self, stalled: bool) -> None:
        """Read nothing, or go on."""
        self.stalled = stalled
        self.flowing.set()


class ClientEnd(ByteStream):
    """The client's side of a connection to a model server."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        await trio.lowlevel.checkpoint()
        server = self._server
        while not server.to_client:
            if server.cut:
                raise anyio.EndOfStream
            server.news = trio.Event()
            await server.news.wait()
        data = bytes(server.to_client[:max_bytes])
        del server.to_client[:max_bytes]
        return data

    async def send(self, item: bytes) -> None:
        await trio.lowlevel.checkpoint()
        while self._server.stalled and not self._server.cut:
            self._server.flowing = trio.Event()
            await self._server.flowing.wait()
        if self._server.cut:
            raise anyio.BrokenResourceError
        self._server.receive(item)

    async def send_eof(self) -> None:
        """A connection ends by GOAWAY."""

    async def aclose(self) -> None:
        self._server.closed = True
        await trio.lowlevel.checkpoint()
