"""What a server may make this side do without any progress: frames that carry nothing, streams that are
reset.

PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA and the like cost the receiver time, and some a reply. As
in Envoy, they are weighed against progress: honest bursts, such as a PING for each DATA frame to measure
bandwidth (Go, hyper), come with progress; a flood does not.

By RFC 9113, 5.1.2, reset streams stop counting at once. But a server that reads RST_STREAM and the next
HEADERS together may not have closed the old stream when it sees the new one: lighttpd 1.4 then refuses the
new stream, takes its DATA for an error, and closes the connection under all others. So where the server
allows few streams, the slot of a reset stream is used again only once a PING sent after the reset, or a
response to a later request, has come.
"""

from h2.errors import ErrorCodes

from discordianai.transport.frames import Http2ConnectionError

MAX_ALLOWANCE = 1000
"""Frames without progress that may come in a row."""

PER_PROGRESS = 10
"""Frames that are allowed for each frame that makes progress."""

COSTLY = 128
"""Bytes of a field block or of settings that take as long to process as another frame."""

MIN_CONTENT = 16
MIN_SENT = 64
"""Bytes of a DATA frame that counts as progress, received and sent."""

PER_SECOND = 20.0
"""Frames that are allowed by time: days of keep-alive are no flood."""


class FloodGuard:
    """Counts the frames of one connection."""

    def __init__(self) -> None:
        self._allowance = float(MAX_ALLOWANCE)
        self._counted_at: float | None = None

    def tick(self, now: float) -> None:
        """Set the time, in seconds on any clock."""
        if self._counted_at is not None:
            self._earn((now - self._counted_at) * PER_SECOND)
        self._counted_at = now

    def progress(self) -> None:
        """Count a frame that makes progress."""
        self._earn(PER_PROGRESS)

    def received(self, content: int, size: int) -> None:
        """Count a DATA frame of `size` bytes, `content` without padding. Raises `Http2ConnectionError`."""
        if not content or size > 2 * content:
            self.no_progress()
        elif content >= MIN_CONTENT:
            self._earn(PER_PROGRESS)

    def sent(self, size: int) -> None:
        """Count a sent DATA frame of `size` bytes; a window that opens byte by byte earns nothing."""
        if size > MIN_SENT:
            self.progress()

    def no_progress(self, size: int = 0) -> None:
        """Count a frame without progress. Raises `Http2ConnectionError` if there were too many.

        `size` is how many bytes had to be decoded: a kilobyte can hold a thousand fields.
        """
        self._allowance -= 1 + size // COSTLY
        if self._allowance < 0:
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, "a flood of frames without progress")

    def _earn(self, frames: float) -> None:
        allowance = self._allowance + frames
        self._allowance = allowance if allowance < MAX_ALLOWANCE else MAX_ALLOWANCE


class ResetStreams:
    """Counts them, for one connection."""

    PING_PAYLOAD = b"\0" * 7 + b"\1"
    """Of the PINGs that are sent after resets."""

    def __init__(self) -> None:
        self._covered = 0
        self._uncovered = 0
        self._next_id = 0

    @property
    def count(self) -> int:
        """How many streams the server may still count."""
        return self._covered + self._uncovered

    def add(self, next_id: int) -> None:
        """Another stream was reset; `next_id` is the identifier of the next new one."""
        self._uncovered += 1
        self._next_id = next_id

    def ping_due(self) -> bool:
        """Whether to send a PING now; it then covers all resets so far."""
        if self._covered or not self._uncovered:
            return False
        self._covered, self._uncovered = self._uncovered, 0
        return True

    def ping_acknowledged(self) -> None:
        """The PING has come back."""
        self._covered = 0

    def response_on(self, stream_id: int) -> bool:
        """The server responds on this stream; if it is a later one, it has seen all resets.

        Returns whether that frees slots.
        """
        if not self.count or stream_id < self._next_id:
            return False
        self._covered = self._uncovered = 0
        return True
