"""Whom each frame concerns: one stream, the connection or nobody, in every state that a stream can be in."""

from collections.abc import Callable

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from discordianai.transport.exchange import DeadlineWatcher, Exchange, Timeouts
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.http2_protocol import Http2Protocol
from discordianai.transport.multiplexer import STREAM_WINDOW
from discordianai.transport.pool_events import Origin
from discordianai.transport.uploads import BufferedBody
from tests.transport.wire import NEIGHBOUR, OPEN_ID, Wire, last_data

IDLE_ID = 99
PREFACE = 24


# The states that a client's stream can be in


def uploading(wire: Wire) -> None:
    """Open: the request is not whole, nothing has come."""
    wire.ask(b"x" * 200_000)


def asked(wire: Wire) -> None:
    """Half-closed (local): the request is whole, nothing has come."""
    wire.ask()


def answering(wire: Wire) -> None:
    """Half-closed (local), the final headers have come."""
    wire.ask()
    wire.say(wire.headers(OPEN_ID, (":status", "200")))


def answering_early(wire: Wire) -> None:
    """Open, the final headers have come before the request was whole."""
    uploading(wire)
    wire.say(wire.headers(OPEN_ID, (":status", "200")))


def answered(wire: Wire) -> None:
    """Closed by END_STREAM."""
    answering(wire)
    wire.say(last_data(OPEN_ID))


def answered_early(wire: Wire) -> None:
    """Closed by END_STREAM and our RST_STREAM, before the request was whole."""
    answering_early(wire)
    wire.say(last_data(OPEN_ID))


def left(wire: Wire) -> None:
    """Closed by our RST_STREAM."""
    wire.ask().close()


def reset(wire: Wire) -> None:
    """Closed by the server's RST_STREAM."""
    asked(wire)
    wire.say(RstStreamFrame(OPEN_ID, 2))


def malformed(wire: Wire) -> None:
    """Closed by our RST_STREAM, because of what the server had sent."""
    asked(wire)
    wire.say(DataFrame(OPEN_ID, b"before the headers"))


OPEN = [uploading, asked, answering, answering_early]
CLOSED = [answered, answered_early, left, reset, malformed]


# The frames that can come


def padded_headers(wire: Wire) -> Frame:
    frame = wire.headers(OPEN_ID, (":status", "200"))
    frame.flags.add("PADDED")
    frame.pad_length = 20
    return frame


def update(increment: int) -> Callable[[Wire], Frame]:
    def make(_wire: Wire) -> Frame:
        frame = WindowUpdateFrame(OPEN_ID, 1)
        frame.window_increment = increment
        return frame

    return make


class RawFrame(Frame):
    """Bytes that hyperframe would not write."""

    def __init__(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        super().__init__(1)
        self.wire = (
            len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload
        )

    def serialize(self) -> bytes:
        return self.wire


def raw(kind: int, flags: int, payload: bytes, stream_id: int = OPEN_ID) -> Callable[[Wire], Frame]:
    return lambda _wire: RawFrame(kind, flags, stream_id, payload)


EVENTS: dict[str, Callable[[Wire], Frame]] = {
    "hints": lambda wire: wire.headers(OPEN_ID, (":status", "103"), ("link", "</x>")),
    "hints that end": lambda wire: wire.headers(OPEN_ID, (":status", "103"), end=True),
    "headers": lambda wire: wire.headers(OPEN_ID, (":status", "200")),
    "padded headers": padded_headers,
    "whole answer": lambda wire: wire.headers(OPEN_ID, (":status", "204"), end=True),
    "trailers": lambda wire: wire.headers(OPEN_ID, ("x-sum", "1"), end=True),
    "trailers that do not end": lambda wire: wire.headers(OPEN_ID, ("x-sum", "1")),
    "bad status": lambda wire: wire.headers(OPEN_ID, (":status", "2oo")),
    "data": lambda _wire: DataFrame(OPEN_ID, b"x" * 70),
    "empty data": lambda _wire: DataFrame(OPEN_ID),
    "last data": lambda _wire: last_data(OPEN_ID, b"x" * 70),
    "reset": lambda _wire: RstStreamFrame(OPEN_ID, 0),
    "refusal": lambda _wire: RstStreamFrame(OPEN_ID, ErrorCodes.REFUSED_STREAM),
    "wants HTTP/1.1": lambda _wire: RstStreamFrame(OPEN_ID, ErrorCodes.HTTP_1_1_REQUIRED),
    "window": update(1000),
    "window with the reserved bit": raw(8, 0, b"\x80\0\0\1"),
    "window of nothing": raw(8, 0, bytes(4)),
    "window too large": update(2**31 - 1),
    "priority": lambda _wire: PriorityFrame(OPEN_ID, depends_on=0, stream_weight=1),
    "priority over itself": lambda _wire: PriorityFrame(OPEN_ID, depends_on=OPEN_ID, stream_weight=1),
    "priority that is cut": raw(2, 0, bytes(4)),
    "unknown": raw(0xBE, 0, b"whatever"),
    "origin": raw(0xC, 0, b"\0\0"),
}
"""Frames that concern stream 1 alone, whatever its state."""

GOES_ON = {
    "hints",
    "headers",
    "padded headers",
    "data",
    "empty data",
    "window",
    "window with the reserved bit",
    "priority",
    "priority over itself",
    "unknown",
    "origin",
}

OUTCOMES: dict[str, dict[str, str]] = {
    # event: what it is before the headers have come, and after; "-" leaves the stream as it is
    "hints": {"before": "-", "after": "fault"},
    "hints that end": {"before": "fault", "after": "fault"},
    "headers": {"before": "-", "after": "fault"},
    "padded headers": {"before": "-", "after": "fault"},
    "whole answer": {"before": "answer", "after": "fault"},
    "trailers": {"before": "fault", "after": "answer"},
    "trailers that do not end": {"before": "fault", "after": "fault"},
    "bad status": {"before": "fault", "after": "fault"},
    "data": {"before": "fault", "after": "-"},
    "empty data": {"before": "fault", "after": "-"},
    "last data": {"before": "fault", "after": "answer"},
    "reset": {"before": "failure", "after": "failure"},
    "refusal": {"before": "again", "after": "again"},  # the pool knows whether it may go out again
    "wants HTTP/1.1": {"before": "http1", "after": "failure"},
    "window": {"before": "-", "after": "-"},
    "window of nothing": {"before": "fault", "after": "fault"},
    "window too large": {"before": "fault", "after": "fault"},
    "window with the reserved bit": {"before": "-", "after": "-"},
    "priority": {"before": "-", "after": "-"},
    "priority over itself": {"before": "-", "after": "-"},
    "priority that is cut": {"before": "fault", "after": "fault"},
    "unknown": {"before": "-", "after": "-"},
    "origin": {"before": "-", "after": "-"},
}


def fate(wire: Wire, exchange: Exchange) -> str:
    if exchange in wire.given_back:
        return "again"
    if exchange.needs_http1:
        return "http1"
    if not exchange.complete:
        return "-"
    if exchange._failure is None:
        return "answer"
    return "fault" if "the server sent" in str(exchange._failure()) else "failure"


def unharmed(wire: Wire, neighbour: Exchange) -> None:
    """The neighbour is answered, headers compressed with the table that all streams share."""
    wire.say(wire.headers(NEIGHBOUR, (":status", "200"), ("x-shared", "table")), last_data(NEIGHBOUR, b"!"))
    assert neighbour.complete
    assert neighbour._failure is None
    assert (b"x-shared", b"table") in neighbour.response_headers


@pytest.mark.parametrize("event", EVENTS)
def test_what_comes_for_an_open_stream_concerns_it_alone(event: str) -> None:
    """Its neighbour is answered, the server is told of a fault, and an upload that nobody reads ends."""
    for state in OPEN:
        comes_for_open_stream(state, event)


def comes_for_open_stream(state: Callable[[Wire], None], event: str) -> None:
    wire = Wire()
    state(wire)
    exchange = wire.streams._streams[OPEN_ID].exchange
    neighbour = wire.ask()
    wire.sent_frames()
    wire.say(EVENTS[event](wire))
    when = "after" if state in {answering, answering_early} else "before"
    expected = OUTCOMES[event][when]
    assert fate(wire, exchange) == expected
    resets = wire.resets()
    if expected == "fault":
        assert len(resets) == 1
    elif expected == "answer" and state in {uploading, answering_early}:
        assert resets == [(OPEN_ID, ErrorCodes.CANCEL)]
    else:
        assert resets == []
    unharmed(wire, neighbour)


@pytest.mark.parametrize("event", EVENTS)
def test_what_comes_for_a_closed_stream_is_ignored(event: str) -> None:
    """Nothing is said about it, but its headers go into the table and its data into the window."""
    for state in CLOSED:
        comes_for_closed_stream(state, event)


def comes_for_closed_stream(state: Callable[[Wire], None], event: str) -> None:
    wire = Wire()
    state(wire)
    neighbour = wire.ask()
    wire.sent_frames()
    wire.say(*[EVENTS[event](wire) for _ in range(3)])
    assert wire.sent_frames() == []
    unharmed(wire, neighbour)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (raw(0, 0x8, b"\x06hello"), ErrorCodes.PROTOCOL_ERROR),
        (raw(0, 0x8, b""), ErrorCodes.PROTOCOL_ERROR),
        (raw(1, 0xC, b"\x01"), ErrorCodes.PROTOCOL_ERROR),
        (raw(1, 0x24, b"1234"), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(1, 0x4, b"\xff\xff\xff\xff\xff\xff\xff"), ErrorCodes.COMPRESSION_ERROR),
        (raw(3, 0, b"123"), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(8, 0, b"12345"), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(9, 0x4, b""), ErrorCodes.PROTOCOL_ERROR),
        (raw(5, 0x4, b"\0\0\0\2"), ErrorCodes.PROTOCOL_ERROR),
        (raw(0, 0, bytes(16_385)), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(4, 0, b""), ErrorCodes.PROTOCOL_ERROR),
        (raw(6, 0, bytes(8)), ErrorCodes.PROTOCOL_ERROR),
        (raw(7, 0, bytes(8)), ErrorCodes.PROTOCOL_ERROR),
        (raw(4, 0, bytes(5), 0), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(4, 0, b"\0\2\0\0\0\1", 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(4, 0, b"\0\4\xff\xff\xff\xff", 0), ErrorCodes.FLOW_CONTROL_ERROR),
        (raw(4, 0, b"\0\5\0\0\0\1", 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(6, 0, bytes(7), 0), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(7, 0, bytes(7), 0), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(4, 1, b"\0\3\0\0\0\1", 0), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(2, 0, bytes(5), 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(8, 0, bytes(4), 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(8, 0, b"\x7f\xff\xff\xff", 0), ErrorCodes.FLOW_CONTROL_ERROR),
        (raw(0, 0, b"x", 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(1, 0x4, b"", 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(3, 0, bytes(4), 0), ErrorCodes.PROTOCOL_ERROR),
        (raw(0xBE, 0, bytes(16_385), 0), ErrorCodes.FRAME_SIZE_ERROR),
        (raw(1, 0x4, b"\x3f\xe1\x5f\x88"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\x20"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\xfe"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\x80"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\x00\x81\xff\x00"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\x00\x84\xff\xff\xff\xff\x00"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x88\x00\x05cut"), ErrorCodes.COMPRESSION_ERROR),
        (raw(1, 0x4, b"\x40\x01x\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * 20), ErrorCodes.ENHANCE_YOUR_CALM),
        (raw(1, 0x4, b"", 2), ErrorCodes.PROTOCOL_ERROR),
        (raw(0, 0, b"x", IDLE_ID), ErrorCodes.PROTOCOL_ERROR),
        (raw(3, 0, bytes(4), IDLE_ID), ErrorCodes.PROTOCOL_ERROR),
        (raw(8, 0, b"\0\0\0\1", IDLE_ID), ErrorCodes.PROTOCOL_ERROR),
    ],
)
def test_what_breaks_framing_windows_or_compression_ends_the_connection(
    frame: Callable[[Wire], Frame], code: ErrorCodes
) -> None:
    """RFC 9113 calls each of them a connection error, whatever state the stream is in."""
    for state in (*OPEN, *CLOSED):
        ends_connection(state, frame, code)


def ends_connection(state: Callable[[Wire], None], frame: Callable[[Wire], Frame], code: ErrorCodes) -> None:
    wire = Wire()
    state(wire)
    wire.ask()
    with pytest.raises(Http2ConnectionError) as caught:
        wire.say(frame(wire))
    assert caught.value.code == code


def test_a_header_block_that_is_interrupted_ends_the_connection() -> None:
    """Nothing may come between HEADERS and their CONTINUATION, not even for another stream (6.10)."""
    for intruder in (PingFrame(0, bytes(8)), ContinuationFrame(NEIGHBOUR), DataFrame(NEIGHBOUR, b"x")):
        wire = Wire()
        wire.ask()
        wire.ask()
        with pytest.raises(Http2ConnectionError, match="interrupted"):
            wire.say(HeadersFrame(OPEN_ID, b""), intruder)


def test_a_header_block_that_does_not_end_ends_the_connection() -> None:
    """What CONTINUATION frames gather is bounded."""
    wire = Wire()
    wire.ask()
    with pytest.raises(Http2ConnectionError) as caught:
        wire.say(HeadersFrame(OPEN_ID, b""), *[ContinuationFrame(OPEN_ID, bytes(16_000))] * 5)
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


def test_a_push_ends_the_connection() -> None:
    """Push is turned off, and no server may do it all the same (6.6)."""
    wire = Wire()
    wire.ask()
    with pytest.raises(Http2ConnectionError, match="PUSH_PROMISE"):
        wire.say(PushPromiseFrame(OPEN_ID, 2))


def test_a_connection_begins_with_settings() -> None:
    """What speaks another protocol is found out at once (3.4)."""
    wire = Wire.__new__(Wire)
    wire.protocol = Http2Protocol(10, wire)
    with pytest.raises(Http2ConnectionError, match="SETTINGS"):
        wire.say(PingFrame(0, bytes(8)))


def test_every_cut_of_the_bytes_is_read_alike() -> None:
    """A frame may come in any number of pieces."""
    wire = Wire()
    first, second = wire.ask(), wire.ask()
    stream = b"".join(
        frame.serialize()
        for frame in (
            wire.headers(OPEN_ID, (":status", "200")),
            DataFrame(OPEN_ID, b"one"),
            wire.headers(NEIGHBOUR, (":status", "404"), end=True),
            last_data(OPEN_ID, b"two"),
        )
    )
    for position in range(len(stream)):
        wire.protocol.receive_data(stream[position : position + 1], 0.0)
        while wire.protocol.process_frames(10):
            pass
    assert (first.status, b"".join(first._chunks), first.complete) == (200, b"onetwo", True)
    assert (second.status, second.complete) == (404, True)


@pytest.mark.parametrize(
    "fields",
    [
        [(":status", "200"), ("connection", "close"), ("x-name", "v")],
        [(":status", "200"), ("transfer-encoding", "chunked"), ("x-name", "v")],
        [(":status", "200"), ("X-Name", "v")],
        [(":status", "200"), ("x-name", "  v\t")],
    ],
)
def test_headers_of_a_careless_gateway_are_read(fields: list[tuple[str, str]]) -> None:
    """Fields of a connection are dropped, names lowered, values stripped."""
    wire = Wire()
    exchange = wire.ask()
    wire.say(wire.headers(OPEN_ID, *fields))
    assert (exchange.status, exchange.response_headers) == (200, [(b"x-name", b"v")])


@pytest.mark.parametrize(
    "fields",
    [
        [("x-name", "v")],
        [(":status", "2oo")],
        [(":status", "000")],
        [(":status", "20")],
        [(":status", "2000")],
        [(":status", "101")],
        [(":status", "200"), (":status", "200")],
        [(":status", "200"), (":path", "/")],
        [("x-name", "v"), (":status", "200")],
        [(":status", "200"), ("", "v")],
        [(":status", "200"), ("x name", "v")],
        [(":status", "200"), ("x:name", "v")],
        [(":status", "200"), ("x-näme", "v")],
        [(":status", "200"), ("x-name", "a\r\nb")],
        [(":status", "200"), ("x-name", "a\0b")],
        [(":status", "200"), ("content-length", "12a")],
        [(":status", "200"), ("content-length", "-1")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        [],
    ],
)
def test_headers_that_can_be_read_in_two_ways_are_a_fault_of_their_stream(
    fields: list[tuple[str, str]],
) -> None:
    """It fails at once, is reset, and its neighbour goes on."""
    wire = Wire()
    exchange, neighbour = wire.ask(), wire.ask()
    wire.sent_frames()
    wire.say(wire.headers(OPEN_ID, *fields))
    assert fate(wire, exchange) == "fault"
    assert wire.resets() == [(OPEN_ID, ErrorCodes.PROTOCOL_ERROR)]
    unharmed(wire, neighbour)


@pytest.mark.parametrize(
    ("method", "status", "length", "content", "expected"),
    [
        (b"GET", "200", "3", b"abc", "answer"),
        (b"GET", "200", "3", b"abcd", "fault"),
        (b"GET", "200", "3", b"ab", "fault"),
        (b"GET", "200", "3", None, "fault"),
        (b"HEAD", "200", "3", None, "answer"),
        (b"GET", "304", "3", None, "answer"),
        (b"GET", "204", "3", None, "answer"),
        (b"HEAD", "200", "3", b"abc", "fault"),
        (b"GET", "304", "3", b"abc", "fault"),
        (b"GET", "204", "3", b"abc", "fault"),
        (b"GET", "200", "3, 3", b"abc", "answer"),
    ],
)
def test_content_is_as_long_as_announced(
    method: bytes, status: str, length: str, content: bytes | None, expected: str
) -> None:
    """A cut answer is never taken for a whole one, and is a fault of its stream alone (8.1.1)."""
    wire = Wire()
    exchange, neighbour = wire.ask(method=method), wire.ask()
    head = wire.headers(OPEN_ID, (":status", status), ("content-length", length), end=content is None)
    wire.say(head, *([] if content is None else [last_data(OPEN_ID, content)]))
    assert fate(wire, exchange) == expected
    unharmed(wire, neighbour)


def test_an_early_answer_and_its_reset_in_one_read_are_an_answer() -> None:
    """The upload ends, and nobody else notices."""
    wire = Wire()
    exchange, neighbour = wire.ask(b"x" * 1_000_000), wire.ask()
    wire.sent_frames()
    wire.say(
        wire.headers(OPEN_ID, (":status", "413")),
        last_data(OPEN_ID, b"too large"),
        RstStreamFrame(OPEN_ID, ErrorCodes.NO_ERROR),
    )
    assert (exchange.status, fate(wire, exchange)) == (413, "answer")
    assert wire.resets() == [(OPEN_ID, ErrorCodes.CANCEL)]
    unharmed(wire, neighbour)


@pytest.mark.parametrize("last", [0, OPEN_ID, NEIGHBOUR])
def test_a_goaway_gives_back_what_is_beyond_it_and_lets_the_rest_finish(last: int) -> None:
    """RFC 9113, 6.8; h2 4.4.1 would refuse every frame that follows."""
    wire = Wire()
    first, second = wire.ask(), wire.ask()
    wire.say(GoAwayFrame(0, last_stream_id=last))
    beyond = [exchange for exchange, stream_id in ((first, 1), (second, 3)) if stream_id > last]
    assert sorted(wire.given_back, key=id) == sorted(beyond, key=id)
    assert all(exchange.handler is None for exchange in beyond)
    for exchange, stream_id in ((first, 1), (second, 3)):
        if stream_id <= last:
            wire.say(wire.headers(stream_id, (":status", "200"), end=True))
            assert exchange.complete


def test_who_was_given_back_knows_nothing_of_its_former_stream() -> None:
    """Leaving a request that waits to be sent anew resets nobody's stream."""
    wire = Wire()
    exchange = wire.ask()
    wire.say(RstStreamFrame(OPEN_ID, ErrorCodes.REFUSED_STREAM))
    other = Wire()
    bystander = other.ask()
    other.streams.submit(exchange)
    exchange.close()
    assert other.resets() == []
    assert other.streams.load == 1
    assert not bystander.complete


def test_http1_required_by_goaway_is_told_to_whom_it_concerns() -> None:
    """What was not processed goes over HTTP/1.1, whether it was sent or not."""
    wire = Wire()
    kept, beyond = wire.ask(), wire.ask()
    unsent = Exchange(Origin("x", 443), kept.headers, BufferedBody(b""), Timeouts(), DeadlineWatcher())
    wire.streams.submit(unsent)
    wire.say(GoAwayFrame(0, last_stream_id=OPEN_ID, error_code=ErrorCodes.HTTP_1_1_REQUIRED))
    assert [fate(wire, exchange) for exchange in (kept, beyond, unsent)] == ["-", "http1", "http1"]


def test_settings_that_allow_no_stream_give_back_what_was_not_sent() -> None:
    """What is under way goes on."""
    wire = Wire()
    under_way = wire.ask()
    unsent = Exchange(Origin("x", 443), under_way.headers, BufferedBody(b""), Timeouts(), DeadlineWatcher())
    wire.streams.submit(unsent)
    wire.say(SettingsFrame(0, {SettingsFrame.MAX_CONCURRENT_STREAMS: 0}))
    assert wire.given_back == [unsent]
    assert not under_way.complete


def test_the_first_settings_say_what_a_client_has_a_use_for() -> None:
    """No push, the window, the size of headers; nothing that only a server may say."""
    wire = Wire.__new__(Wire)
    wire.protocol = Http2Protocol(10, wire)
    settings = memoryview(wire.protocol.data_to_send())[PREFACE:]
    frame, length = Frame.parse_frame_header(settings[:9])
    frame.parse_body(settings[9 : 9 + length])
    assert isinstance(frame, SettingsFrame)
    assert set(frame.settings) == {2, 4, 6}
    assert frame.settings[4] == STREAM_WINDOW


def test_windows_that_the_server_shrinks_below_zero_are_kept_to() -> None:
    """Nothing of a body goes out until its window is above zero again (6.9.2)."""
    wire = Wire()
    wire.ask(b"x" * 60_000)
    wire.sent_frames()
    wire.say(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 10}))
    assert not [frame for frame in wire.sent_frames() if isinstance(frame, DataFrame)]
    wire.say(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 2**20}))
    assert [frame for frame in wire.sent_frames() if isinstance(frame, DataFrame)]
