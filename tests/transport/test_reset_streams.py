"""Where a server allows few streams, a place that was reset is used again when the server has seen that."""

import pytest
from hyperframe.frame import Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame

from discordianai.transport.exchange import DeadlineWatcher, Exchange, Timeouts
from discordianai.transport.pool_events import Origin
from discordianai.transport.uploads import BufferedBody
from tests.transport.wire import Wire

MAX_CONCURRENT_STREAMS = 3


def narrow(streams: int) -> Wire:
    wire = Wire()
    wire.say(SettingsFrame(0, {MAX_CONCURRENT_STREAMS: streams}))
    wire.sent_frames()
    return wire


def request() -> Exchange:
    headers = [(b":method", b"GET"), (b":authority", b"x"), (b":scheme", b"https"), (b":path", b"/")]
    return Exchange(Origin("x", 443), headers, BufferedBody(b""), Timeouts(), DeadlineWatcher())


def started(wire: Wire) -> list[int]:
    """The streams that are opened now."""
    return [frame.stream_id for frame in wire.sent_frames() if isinstance(frame, HeadersFrame)]


def ack(wire: Wire, ping: Frame) -> None:
    assert isinstance(ping, PingFrame)
    answer = PingFrame(0, ping.opaque_data)
    answer.flags.add("ACK")
    wire.say(answer)


def test_a_ping_goes_behind_the_reset_and_the_next_stream_behind_its_echo() -> None:
    """One PING for all that were reset together."""
    wire = narrow(2)
    for exchange in (wire.ask(), wire.ask()):
        exchange.close()
    wire.streams.submit(request())
    resets_and_ping = wire.sent_frames()
    assert [type(frame) for frame in resets_and_ping] == [RstStreamFrame, RstStreamFrame, PingFrame]
    assert started(wire) == []
    ack(wire, resets_and_ping[-1])
    assert started(wire) == [5]


@pytest.mark.parametrize("answered", [True, False])
def test_an_answer_to_a_later_request_shows_it_as_well(answered: bool) -> None:
    """One to an earlier request shows nothing."""
    wire = narrow(3)
    early, cancelled = wire.ask(), wire.ask()
    cancelled.close()
    late = wire.ask()
    wire.ask()  # which has no place yet: three are in use, as far as the server may know
    wire.sent_frames()
    assert late.handler is not None
    wire.say(wire.headers(5 if answered else 1, (":status", "200")))
    assert started(wire) == ([7] if answered else [])
    assert early.complete is False


def test_where_places_are_plenty_nothing_waits_and_no_ping_is_sent() -> None:
    """As at nearly all servers."""
    wire = narrow(100)
    for _ in range(20):
        wire.ask().close()
    assert not [frame for frame in wire.sent_frames() if isinstance(frame, PingFrame)]
    wire.ask()
    assert wire.streams.load == 1
    assert not [frame for frame in wire.sent_frames() if isinstance(frame, PingFrame)]
