"""A connection without a socket, on which a test plays the server, frame by frame."""

from dataclasses import dataclass, field

import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame, SettingsFrame

from discordianai.transport.exchange import DeadlineWatcher, Exchange, Timeouts
from discordianai.transport.http2_protocol import Http2Protocol
from discordianai.transport.multiplexer import Multiplexer
from discordianai.transport.pool_events import Origin
from discordianai.transport.uploads import BufferedBody

OPEN_ID, NEIGHBOUR = 1, 3


@dataclass
class Wire:
    """One side of a connection; the test plays the other. `given_back` are the unprocessed requests."""

    protocol: Http2Protocol = field(init=False)
    streams: Multiplexer = field(init=False)
    encoder: hpack.Encoder = field(default_factory=hpack.Encoder)
    given_back: list[Exchange] = field(default_factory=list)
    goaways: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.protocol = Http2Protocol(10, self)
        self.streams = self.protocol.streams
        self.protocol.data_to_send()
        self.say(SettingsFrame(0, {}))

    def output_ready(self) -> None:
        """See `ConnectionEvents`; `sent_frames` collects."""

    def capacity_changed(self) -> None:
        """See `ConnectionEvents`."""

    def response_started(self) -> None:
        """See `ConnectionEvents`."""

    def goaway_received(self, last_stream_id: int, code: int) -> None:
        self.goaways.append(code)

    def unprocessed(self, exchange: Exchange, why: str, *, sent: bool) -> None:
        self.given_back.append(exchange)

    def ask(self, body: bytes = b"", method: bytes = b"POST") -> Exchange:
        headers = [(b":method", method), (b":authority", b"x"), (b":scheme", b"https"), (b":path", b"/")]
        exchange = Exchange(Origin("x", 443), headers, BufferedBody(body), Timeouts(), DeadlineWatcher())
        self.streams.submit(exchange)
        self.protocol.data_to_send()
        self.protocol.data_sent()
        return exchange

    def say(self, *frames: Frame) -> None:
        """All in one read."""
        self.protocol.receive_data(b"".join(frame.serialize() for frame in frames), 0.0)
        while self.protocol.process_frames(1):
            pass

    def headers(self, stream_id: int, *fields: tuple[str, str], end: bool = False) -> HeadersFrame:
        frame = HeadersFrame(stream_id, self.encoder.encode(fields))
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        return frame

    def sent_frames(self) -> list[Frame]:
        data, found = memoryview(self.protocol.data_to_send()), []
        while data:
            frame, length = Frame.parse_frame_header(data[:9])
            frame.parse_body(data[9 : 9 + length])
            found.append(frame)
            data = data[9 + length :]
        return found

    def resets(self) -> list[tuple[int, int]]:
        return [(f.stream_id, f.error_code) for f in self.sent_frames() if isinstance(f, RstStreamFrame)]


def last_data(stream_id: int, data: bytes = b"") -> DataFrame:
    frame = DataFrame(stream_id, data)
    frame.flags.add("END_STREAM")
    return frame
