"""What goes out keeps to the limits that the server states, whenever it states them."""

import hpack
import httpx
import pytest
import trio
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, SettingsFrame

from discordianai.sandbox.certificates import Authority
from discordianai.transport import ConnectionClosed
from discordianai.transport.exchange import DeadlineWatcher, Exchange, RawHeaders, Timeouts
from discordianai.transport.fields import request_headers
from discordianai.transport.multiplexer import LAST_STREAM_ID
from discordianai.transport.pool_events import Origin
from discordianai.transport.uploads import BufferedBody
from tests.transport.builders import patient, scene
from tests.transport.wire import Wire

HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 3, 4, 5
PSEUDO = [(b":method", b"POST"), (b":authority", b"x"), (b":scheme", b"https"), (b":path", b"/")]


def submit(wire: Wire, *more: tuple[bytes, bytes], body: bytes = b"") -> Exchange:
    headers: RawHeaders = [*PSEUDO, *more]
    exchange = Exchange(Origin("x", 443), headers, BufferedBody(body), Timeouts(), DeadlineWatcher())
    wire.streams.submit(exchange)
    return exchange


def block(frames: list[Frame]) -> bytes:
    return b"".join(frame.data for frame in frames if isinstance(frame, HeadersFrame | ContinuationFrame))


def test_a_table_that_the_server_makes_smaller_is_told_before_the_next_header() -> None:
    """Also one that was smaller for a moment only: the server has emptied its own (RFC 7541, 4.2)."""
    wire = Wire()
    decoder = hpack.Decoder()
    submit(wire, (b"x-kept", b"value"))
    decoder.decode(block(wire.sent_frames()))
    for sizes in ([0], [4096], [0, 4096], [100], [65_536]):
        changes = b"".join(b"\0\1" + size.to_bytes(4, "big") for size in sizes)
        wire.protocol.receive_data(len(changes).to_bytes(3, "big") + b"\4\0\0\0\0\0" + changes, 0.0)
        wire.protocol.process_frames(1)
        decoder.max_allowed_table_size = min(sizes)
        if min(sizes) < 4096:
            decoder.header_table_size = min(sizes)
        decoder.max_allowed_table_size = sizes[-1]
        for _ in range(2):
            submit(wire, (b"x-kept", b"value"))
            fields = decoder.decode(block(wire.sent_frames()), raw=True)
            assert (b"x-kept", b"value") in list(fields)


@pytest.mark.parametrize("size", [16_384, 20_000, 65_536, 1_000_000])
def test_frames_are_as_large_as_the_server_takes(size: int) -> None:
    """Headers go on in CONTINUATION frames, with nothing between; a body shares the connection."""
    wire = Wire()
    wire.say(SettingsFrame(0, {MAX_FRAME_SIZE: size, INITIAL_WINDOW_SIZE: 1_000_000}))
    wire.sent_frames()
    # Many of them, since hpack's time for one grows with the square of its length.
    long = bytes(range(256)).hex().encode() * 10
    submit(wire, *[(b"x-long-%d" % number, long) for number in range(20)], body=b"x" * 200_000)
    frames = wire.sent_frames()
    kinds = [type(frame) for frame in frames]
    assert kinds[0] is HeadersFrame
    assert set(kinds[1:-1]) <= {ContinuationFrame}
    assert kinds[-1] is DataFrame
    assert ["END_HEADERS" in frame.flags for frame in frames[:-1]] == [False] * (len(frames) - 2) + [True]
    assert max(frame.body_len for frame in frames) <= size
    wire.say(SettingsFrame(0, {MAX_FRAME_SIZE: 16_384}))
    assert all(frame.body_len <= 16_384 for frame in wire.sent_frames())


def test_streams_are_as_many_as_the_server_allows_now() -> None:
    """What was given a place before a limit came down keeps it; nothing is opened until there is room."""
    wire = Wire()
    first = [wire.ask() for _ in range(4)]
    wire.say(SettingsFrame(0, {MAX_CONCURRENT_STREAMS: 2}))
    assert wire.streams.capacity == 2
    wire.sent_frames()
    submit(wire)
    assert wire.sent_frames() == []
    for number in range(3):
        wire.say(wire.headers(1 + 2 * number, (":status", "204"), end=True))
    assert [type(frame) for frame in wire.sent_frames()] == [HeadersFrame]
    assert [exchange.complete for exchange in first] == [True, True, True, False]


def test_secrets_are_in_no_table() -> None:
    """Neither in ours nor, told by the representation (RFC 7541, 6.2.3), in that of any hop."""
    given = {"Authorization": "Bearer s3cret", "Cookie": "s3cret=1", "x-api-key": "s3cret"}
    request = httpx.Request("GET", "https://x/", headers=given)
    wire = Wire()
    exchange = Exchange(
        Origin("x", 443), request_headers(request), BufferedBody(b""), Timeouts(), DeadlineWatcher()
    )
    wire.streams.submit(exchange)
    decoder = hpack.Decoder()
    fields = list(decoder.decode(block(wire.sent_frames()), raw=True))
    secret = [field for field in fields if b"s3cret" in field[1]]
    assert len(secret) == 3
    assert all(isinstance(field, hpack.NeverIndexedHeaderTuple) for field in secret)
    assert not any(b"s3cret" in value for _name, value in decoder.header_table.dynamic_entries)


async def test_a_connection_without_stream_ids_is_followed_by_another(authority: Authority) -> None:
    """Its last streams finish, and it is closed then (RFC 9113, 5.1.1)."""
    async with scene(authority, patient) as s:
        await s.get()
        http2 = s.transport._http2
        assert http2 is not None
        http2.pool.connections[0]._streams._next_id = LAST_STREAM_ID - 2
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(s.get, "/slow")
        assert s.server.connections_opened == 2
        await s.until(lambda: len(s.server.connections) == 1)
        assert not any(event.lost for event in s.told(ConnectionClosed))
