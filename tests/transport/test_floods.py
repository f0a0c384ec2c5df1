"""Frames that bring no answer: their connection ends, what is honest passes, and nothing grows."""

import time
from collections.abc import Callable

import httpx
import pytest
import trio
from h2.errors import ErrorCodes
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PingFrame

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange
from discordianai.transport import ConnectionClosed
from discordianai.transport.floods import MAX_ALLOWANCE, FloodGuard
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.send_queue import MAX_UNSENT_REPLIES
from tests.transport.builders import http2, patient, scene
from tests.transport.test_multiplexer import answering, asked, raw
from tests.transport.wire import OPEN_ID, Wire

FLOODS: dict[str, bytes] = {
    "ping": b"\0\0\x08\x06\0\0\0\0\0" + bytes(8),
    "settings": b"\0\0\0\x04\0\0\0\0\0",
    "settings that change": b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64",
    "window update": b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01",
    "window update of a stream": b"\0\0\x04\x08\0\0\0\0\x01\0\0\0\x01",
    "empty data": b"\0\0\0\0\0\0\0\0\x01",
    "padded data": b"\0\x01\0\0\x08\0\0\0\x01\xff" + bytes(255),
    "a byte of data and padding": b"\0\0\x66\0\x08\0\0\0\x01\x64x" + bytes(100),
    "priority": b"\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10",
    "unknown": b"\0\0\x04\xbe\0\0\0\0\x01abcd",
    "hints": b"\0\0\x05\x01\x04\0\0\0\x01\x08\x03103",
    "acknowledgements": b"\0\0\x08\x06\x01\0\0\0\0" + bytes(8),
}
BEFORE_THE_ANSWER = {"hints"}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_ends_its_connection_and_harms_no_other(authority: Authority, kind: str) -> None:
    """ENHANCE_YOUR_CALM, within a moment; a stream on another connection goes on."""
    stopped = trio.Event()

    async def handler(exchange: ServerExchange) -> None:
        if exchange.path != "/flood":
            await patient(exchange)
            return
        try:
            if kind not in BEFORE_THE_ANSWER:
                await exchange.start(200)
            while True:
                await http2(exchange).connection.send_raw(FLOODS[kind] * 50)
                await trio.sleep(0.001)
        finally:
            stopped.set()

    async with scene(authority, handler, streams_per_connection=1) as s:
        async with s.client.stream("GET", s.url("/drip")) as neighbour:
            with pytest.raises(httpx.RemoteProtocolError, match="ENHANCE_YOUR_CALM"), trio.fail_after(5):
                await s.get("/flood")
            assert len(await neighbour.aread()) == 20
        await stopped.wait()
        assert [event.lost for event in s.told(ConnectionClosed)] == [True]


@pytest.mark.parametrize("kind", FLOODS)
def test_as_many_idle_frames_as_allowed_pass_and_no_more(kind: str) -> None:
    """The allowance is one for all kinds, counted in frames."""
    wire = Wire()
    (asked if kind in BEFORE_THE_ANSWER else answering)(wire)
    frame = raw(FLOODS[kind][3], FLOODS[kind][4], FLOODS[kind][9:], int.from_bytes(FLOODS[kind][5:9], "big"))
    wire.say(*[frame(wire)] * (MAX_ALLOWANCE // 2))

    def go_on() -> None:
        for _ in range(MAX_ALLOWANCE):
            wire.sent_frames()
            wire.say(frame(wire))

    with pytest.raises(Http2ConnectionError) as caught:
        go_on()
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


def test_idle_frames_that_come_with_progress_are_no_flood() -> None:
    """Go and hyper send a PING for each piece of an upload, and other servers two WINDOW_UPDATEs."""
    wire = Wire()
    answering(wire)
    for _ in range(5000):
        wire.say(PingFrame(0, bytes(8)), DataFrame(OPEN_ID, b"x" * 100))
        wire.sent_frames()
        wire.streams._streams[OPEN_ID].exchange._chunks.clear()
        wire.streams._streams[OPEN_ID].exchange._give_back_window()


def test_an_upload_earns_what_the_server_says_to_it() -> None:
    """Two window updates and a PING for each frame, for 2 MB."""
    wire = Wire()
    wire.ask(b"x" * 2_000_000)
    update = raw(8, 0, (16_384).to_bytes(4, "big"))
    of_connection = raw(8, 0, (16_384).to_bytes(4, "big"), 0)
    while wire.streams._send_queue:
        wire.say(update(wire), of_connection(wire), PingFrame(0, bytes(8)))
        wire.sent_frames()


def test_time_earns_a_keepalive() -> None:
    """A PING each second for a day ends nothing."""
    guard = FloodGuard()
    for second in range(86_400):
        guard.tick(float(second))
        guard.no_progress()


def test_a_flood_after_much_progress_is_a_flood() -> None:
    """What is earned is bounded."""
    guard = FloodGuard()
    for _ in range(100_000):
        guard.progress()
    for _ in range(MAX_ALLOWANCE):
        guard.no_progress()
    with pytest.raises(Http2ConnectionError):
        guard.no_progress()


def test_answers_that_the_server_does_not_read_are_bounded() -> None:
    """A PING that nobody reads the answer of is one too many at some time, however much else goes on."""
    wire = Wire()
    answering(wire)

    def go_on() -> None:
        for _ in range(10_000):
            wire.say(PingFrame(0, bytes(8)), DataFrame(OPEN_ID, b"x" * 100))
            wire.streams._streams[OPEN_ID].exchange._chunks.clear()
            wire.streams._streams[OPEN_ID].exchange._give_back_window()

    with pytest.raises(Http2ConnectionError, match="does not read the replies"):
        go_on()
    assert len(wire.protocol.data_to_send()) < MAX_UNSENT_REPLIES + 1000


def test_empty_continuations_are_counted() -> None:
    """A header block of nothing that never ends."""
    wire = Wire()
    wire.ask()
    with pytest.raises(Http2ConnectionError) as caught:
        wire.say(HeadersFrame(OPEN_ID, b""), *[ContinuationFrame(OPEN_ID)] * (MAX_ALLOWANCE + 2))
    assert caught.value.code == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(raw(1, 4, b"\x08\x03103" + b"\x8f" * 1400), id="fields of one byte"),
        pytest.param(raw(1, 4, b"\x20" * 16_000 + b"\x08\x03103"), id="sizes of the table"),
        pytest.param(raw(4, 0, b"\0\4\0\0\xff\xff" * 2700, 0), id="windows"),
    ],
)
def test_a_frame_that_takes_long_counts_for_many(payload: Callable[[Wire], Frame]) -> None:
    """What a thousand of them cost is no second of CPU time, and each slice leaves the others their turns."""
    wire = Wire()
    asked(wire)
    wire.protocol.receive_data(payload(wire).serialize() * 2, 0.0)
    slices = 1
    while wire.protocol.process_frames(10):
        slices += 1
    assert slices == 3, "each was a slice of its own"

    def flood() -> None:
        for _ in range(MAX_ALLOWANCE // 10):
            wire.sent_frames()
            wire.say(payload(wire))

    with pytest.raises(Http2ConnectionError, match="flood"):
        flood()


async def test_a_large_read_leaves_the_other_tasks_their_turns(authority: Authority) -> None:
    """Frames are handled in slices with a checkpoint between, even those that are allowed."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.start(200)
        small = b"\0\0\x10\0\0" + http2(exchange).stream_id.to_bytes(4, "big") + b"x" * 16
        await http2(exchange).connection.send_raw(small * 8000)
        await exchange.finish()

    async with scene(authority, handler) as s, trio.open_nursery() as nursery:
        longest = 0.0

        async def measure() -> None:
            nonlocal longest
            while True:
                began = time.thread_time()  # a busy machine counts for nothing
                await trio.lowlevel.checkpoint()
                longest = max(longest, time.thread_time() - began)

        nursery.start_soon(measure)
        assert len((await s.get()).content) == 8000 * 16
        assert longest < 0.25
        nursery.cancel_scope.cancel()
