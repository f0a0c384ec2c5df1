"""What one connection has to send: answers first, then requests, then bodies, each within its windows."""

from collections.abc import Callable

from h2.errors import ErrorCodes

from discordianai.transport import frames
from discordianai.transport.exchange import Phase
from discordianai.transport.peer_settings import Peer
from discordianai.transport.protocol_errors import ConnectionFault
from discordianai.transport.stream import Placement

MOST_ANSWERS = 16_384
"""Bytes of answers to the server's frames that may lie unsent, because it does not read."""


class Outgoing:
    """`wake` is called when there is something to collect."""

    def __init__(self, peer: Peer, wake: Callable[[], None]) -> None:
        self._peer = peer
        self._wake = wake
        self._control = bytearray()
        self._uploads: dict[int, Placement] = {}
        self._in_write: list[Placement] = []
        self._in_write_control = False

    def __bool__(self) -> bool:
        """Whether a larger window may let something go on."""
        return bool(self._uploads)

    def say(self, data: bytes) -> None:
        """Send frames that go ahead of all requests and bodies: they are of streams that are open."""
        self._control += data
        self._wake()

    def answer(self, data: bytes) -> None:
        """Say what the server's own frames call for. Raises `ConnectionFault` where it reads none of that."""
        self.say(data)
        if len(self._control) > MOST_ANSWERS:
            raise ConnectionFault(
                ErrorCodes.ENHANCE_YOUR_CALM, "a server that reads no answers to its frames"
            )

    @property
    def said_all(self) -> bool:
        """Whether all that went ahead was written."""
        return not self._control and not self._in_write_control

    def begin(self, placement: Placement) -> None:
        """The HEADERS of this one are with what is collected now."""
        self._in_write.append(placement)
        placement.upload = placement.exchange.body.begin(lambda: self._more(placement))
        if placement.upload is not None:
            self._uploads[placement.stream_id] = placement

    def discard(self, placement: Placement) -> None:
        """Send no more of this one."""
        self._uploads.pop(placement.stream_id, None)

    def clear(self) -> None:
        """Send no more of any."""
        self._uploads.clear()

    def control(self) -> bytes:
        """What goes first."""
        data = bytes(self._control)
        self._control.clear()
        self._in_write_control = bool(data)
        return data

    def data(self) -> list[bytes]:
        """A frame of each body, as far as the windows go."""
        return [self._frame(placement) for placement in list(self._uploads.values())]

    def sent(self) -> None:
        """All that was collected has been written: from now on those requests wait for something else."""
        for placement in self._in_write:
            if not placement.exchange.complete and placement.exchange.holder is placement:
                placement.exchange.enter(_phase(placement))
        self._in_write.clear()
        self._in_write_control = False

    def _frame(self, placement: Placement) -> bytes:
        """Empty if windows or body allow none."""
        peer, upload = self._peer, placement.upload
        assert upload is not None  # noqa: S101  # it is among the uploads
        room = min(peer.window.room, placement.send.room, peer.frame_size)
        piece, last = upload.take(max(room, 0))
        if not piece and not last:
            return b""
        peer.window.room -= len(piece)
        placement.send.room -= len(piece)
        if last:
            placement.upload = None
            del self._uploads[placement.stream_id]
        self._in_write.append(placement)
        return frames.frame(frames.DATA, frames.END_STREAM if last else 0, placement.stream_id, piece)

    def _more(self, placement: Placement) -> None:
        """Its body has something again."""
        if placement.stream_id in self._uploads:
            placement.exchange.enter(Phase.WRITE)
            self._wake()


def _phase(placement: Placement) -> Phase:
    """What a request waits for, of which all was written that may be for now."""
    if placement.upload is None:
        return Phase.READ
    return Phase.BODY if placement.upload.starved else Phase.WRITE
