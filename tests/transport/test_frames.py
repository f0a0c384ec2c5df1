"""What is taken out of the received bytes, however they are cut; and why GOAWAY has to be."""

import h2.connection
import h2.exceptions
import pytest
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame
from hypothesis import given
from hypothesis import strategies as st

from discordianai.transport.frames import Data, FrameFilter, Goaway, window_update

DIRECT = 3


def data_frame(stream_id: int, data: bytes, padding: int, end: bool) -> DataFrame:
    frame = DataFrame(stream_id, data)
    if padding:
        frame.flags.add("PADDED")
        frame.pad_length = padding
    if end:
        frame.flags.add("END_STREAM")
    return frame


frames = st.lists(
    st.one_of(
        st.builds(
            data_frame,
            st.sampled_from([1, DIRECT, 5]),
            st.binary(max_size=300),
            st.integers(0, 20),
            st.booleans(),
        ),
        st.builds(
            lambda last, code: GoAwayFrame(0, last, code), st.integers(0, 2**31 - 1), st.integers(0, 13)
        ),
        st.builds(lambda data: PingFrame(0, data), st.binary(min_size=8, max_size=8)),
        st.builds(lambda data: HeadersFrame(7, data), st.binary(max_size=50)),
    ),
    max_size=12,
)


def expected(frame: Frame) -> Data | Goaway | bytes:
    if isinstance(frame, GoAwayFrame):
        return Goaway(frame.last_stream_id, frame.error_code)
    if isinstance(frame, DataFrame) and frame.stream_id == DIRECT and "END_STREAM" not in frame.flags:
        return Data(DIRECT, frame.data, frame.flow_controlled_length)
    return frame.serialize()


@given(frames, st.lists(st.integers(1, 40), min_size=1))
def test_however_the_bytes_are_cut_the_same_frames_are_taken_and_the_rest_is_passed(
    sent: list[Frame], sizes: list[int]
) -> None:
    wire = b"".join(frame.serialize() for frame in sent)
    pieces, position, turn = [], 0, 0
    while position < len(wire):
        size = sizes[turn % len(sizes)]
        pieces.append(wire[position : position + size])
        position, turn = position + size, turn + 1
    tested = FrameFilter()
    tested.direct.add(DIRECT)
    passed, taken = b"", []
    for piece in pieces:
        some, frames_taken = tested.feed(piece)
        passed += some
        taken += frames_taken
    wanted = [expected(frame) for frame in sent]
    assert taken == [frame for frame in wanted if not isinstance(frame, bytes)]
    assert passed == b"".join(frame for frame in wanted if isinstance(frame, bytes))


def test_h2_refuses_what_follows_a_goaway_which_is_why_it_is_not_told() -> None:
    client, server = (
        h2.connection.H2Connection(),
        h2.connection.H2Connection(h2.config.H2Configuration(client_side=False)),
    )
    client.initiate_connection()
    server.initiate_connection()
    request = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")]
    client.send_headers(1, request, end_stream=True)
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", "200")])
    client.receive_data(server.data_to_send())
    client.receive_data(GoAwayFrame(0, 1, 0).serialize())
    with pytest.raises(h2.exceptions.ProtocolError):
        client.receive_data(DataFrame(1, b"still allowed").serialize())


def test_a_window_update_is_what_hyperframe_reads_as_one() -> None:
    frame, length = Frame.parse_frame_header(memoryview(window_update(5, 70_000)[:9]))
    frame.parse_body(memoryview(window_update(5, 70_000)[9 : 9 + length]))
    assert (type(frame).__name__, frame.stream_id) == ("WindowUpdateFrame", 5)
    assert vars(frame)["window_increment"] == 70_000
