"""How many frames that make no progress a server may send.

PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA and the like cost the receiver time, and some a reply. As
in Envoy, they are weighed against progress: honest bursts, such as a PING for each DATA frame to measure
bandwidth (Go, hyper), come with progress; a flood does not.
"""

from h2.errors import ErrorCodes

from discordianai.transport.protocol_errors import Http2ConnectionError

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
