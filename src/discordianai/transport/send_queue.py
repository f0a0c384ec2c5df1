"""What a connection has to send: control frames first, then new requests, then bodies as windows allow."""

from collections.abc import Callable

from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.exchange import Phase
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.peer_settings import PeerSettings
from discordianai.transport.stream import DEFAULT_WINDOW, SendWindow, Stream

MAX_UNSENT_REPLIES = 16_384
"""Bytes of control frames that may wait while the server does not read."""


class SendQueue:
    """`output_ready` is called whenever there is something new to send."""

    def __init__(self, peer: PeerSettings, output_ready: Callable[[], None]) -> None:
        self.window = SendWindow(DEFAULT_WINDOW)
        """The connection's."""
        self._peer = peer
        self._output_ready = output_ready
        self._control = bytearray()
        self._uploads: dict[int, Stream] = {}
        self._in_write: list[Stream] = []
        self._in_write_control = False

    def __bool__(self) -> bool:
        """Whether a larger window may allow more to be sent."""
        return bool(self._uploads)

    def send_control(self, data: bytes) -> None:
        """Queue frames before all requests and bodies; none concerns a stream that is still to be opened."""
        self._control += data
        self._output_ready()

    def send_reply(self, data: bytes) -> None:
        """Reply to a frame of the server's. Raises `Http2ConnectionError` if it does not read the replies."""
        self.send_control(data)
        if len(self._control) > MAX_UNSENT_REPLIES:
            raise Http2ConnectionError(
                ErrorCodes.ENHANCE_YOUR_CALM, "a server that does not read the replies to its frames"
            )

    @property
    def control_written(self) -> bool:
        """Whether all control frames have been written."""
        return not self._control and not self._in_write_control

    def start(self, stream: Stream) -> None:
        """The HEADERS of this stream are part of the write that is being put together."""
        self._in_write.append(stream)
        stream.upload = stream.exchange.body.begin(lambda: self._more(stream))
        if stream.upload is not None:
            self._uploads[stream.stream_id] = stream

    def discard(self, stream: Stream) -> None:
        """Send no more of this body."""
        self._uploads.pop(stream.stream_id, None)

    def clear(self) -> None:
        """Send no more of any body."""
        self._uploads.clear()

    def take_control(self) -> bytes:
        """All control frames."""
        data = bytes(self._control)
        self._control.clear()
        self._in_write_control = bool(data)
        return data

    def take_data(self) -> list[bytes]:
        """One DATA frame of each body, as far as the windows allow."""
        return [self._data_frame(stream) for stream in list(self._uploads.values())]

    def written(self) -> None:
        """All that was taken has been written: its requests now wait for something else."""
        for stream in self._in_write:
            if not stream.exchange.complete and stream.exchange.handler is stream:
                stream.exchange.enter(_phase(stream))
        self._in_write.clear()
        self._in_write_control = False

    def _data_frame(self, stream: Stream) -> bytes:
        """Empty where the windows or the body allow none."""
        window, upload = self.window, stream.upload
        assert upload is not None  # noqa: S101  # it is among the uploads
        limit = min(window.available, stream.send_window.available, self._peer.frame_size)
        data, last = upload.take(max(limit, 0))
        if not data and not last:
            return b""
        window.available -= len(data)
        stream.send_window.available -= len(data)
        if last:
            stream.upload = None
            del self._uploads[stream.stream_id]
        self._in_write.append(stream)
        return frames.frame(frames.DATA, frames.END_STREAM if last else 0, stream.stream_id, data)

    def _more(self, stream: Stream) -> None:
        """Its body has more data."""
        if stream.stream_id in self._uploads:
            stream.exchange.enter(Phase.WRITE)
            self._output_ready()


def _phase(stream: Stream) -> Phase:
    """What a request waits for once everything that could be sent was written."""
    if stream.upload is None:
        return Phase.READ
    return Phase.BODY if stream.upload.starved else Phase.WRITE
