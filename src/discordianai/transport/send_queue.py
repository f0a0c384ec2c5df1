"""What one connection has to send: answers first, then requests, then bodies, each within its windows."""

from collections.abc import Callable

from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.exchange import Phase
from discordianai.transport.peer_settings import PeerSettings
from discordianai.transport.protocol_errors import Http2ConnectionError
from discordianai.transport.stream import Stream

MAX_UNSENT_REPLIES = 16_384
"""Bytes of answers to the server's frames that may lie unsent, because it does not read."""


class SendQueue:
    """`wake` is called when there is something to collect."""

    def __init__(self, peer: PeerSettings, wake: Callable[[], None]) -> None:
        self._peer = peer
        self._wake = wake
        self._control = bytearray()
        self._uploads: dict[int, Stream] = {}
        self._in_write: list[Stream] = []
        self._in_write_control = False

    def __bool__(self) -> bool:
        """Whether a larger window may let something go on."""
        return bool(self._uploads)

    def send_control(self, data: bytes) -> None:
        """Send frames that go ahead of all requests and bodies: they are of streams that are open."""
        self._control += data
        self._wake()

    def send_reply(self, data: bytes) -> None:
        """Reply to a frame of the server's. Raises `Http2ConnectionError` if it reads none of the replies."""
        self.send_control(data)
        if len(self._control) > MAX_UNSENT_REPLIES:
            raise Http2ConnectionError(
                ErrorCodes.ENHANCE_YOUR_CALM, "a server that reads no answers to its frames"
            )

    @property
    def control_written(self) -> bool:
        """Whether all that went ahead was written."""
        return not self._control and not self._in_write_control

    def start(self, stream: Stream) -> None:
        """The HEADERS of this one are with what is collected now."""
        self._in_write.append(stream)
        stream.upload = stream.exchange.body.begin(lambda: self._more(stream))
        if stream.upload is not None:
            self._uploads[stream.stream_id] = stream

    def discard(self, stream: Stream) -> None:
        """Send no more of this one."""
        self._uploads.pop(stream.stream_id, None)

    def clear(self) -> None:
        """Send no more of any."""
        self._uploads.clear()

    def take_control(self) -> bytes:
        """What goes first."""
        data = bytes(self._control)
        self._control.clear()
        self._in_write_control = bool(data)
        return data

    def take_data(self) -> list[bytes]:
        """A frame of each body, as far as the windows go."""
        return [self._frame(stream) for stream in list(self._uploads.values())]

    def written(self) -> None:
        """All that was collected has been written: from now on those requests wait for something else."""
        for stream in self._in_write:
            if not stream.exchange.complete and stream.exchange.handler is stream:
                stream.exchange.enter(_phase(stream))
        self._in_write.clear()
        self._in_write_control = False

    def _frame(self, stream: Stream) -> bytes:
        """Empty if windows or body allow none."""
        peer, upload = self._peer, stream.upload
        assert upload is not None  # noqa: S101  # it is among the uploads
        room = min(peer.window.available, stream.send_window.available, peer.frame_size)
        piece, last = upload.take(max(room, 0))
        if not piece and not last:
            return b""
        peer.window.available -= len(piece)
        stream.send_window.available -= len(piece)
        if last:
            stream.upload = None
            del self._uploads[stream.stream_id]
        self._in_write.append(stream)
        return frames.frame(frames.DATA, frames.END_STREAM if last else 0, stream.stream_id, piece)

    def _more(self, stream: Stream) -> None:
        """Its body has something again."""
        if stream.stream_id in self._uploads:
            stream.exchange.enter(Phase.WRITE)
            self._wake()


def _phase(stream: Stream) -> Phase:
    """What a request waits for, of which all was written that may be for now."""
    if stream.upload is None:
        return Phase.READ
    return Phase.BODY if stream.upload.starved else Phase.WRITE
