"""How many frames a server may send that bring no answer on.

PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA and so on cost the receiver time, and some an answer. As
Envoy does, they are counted against what progresses: honest bursts, such as a PING for each DATA frame to
measure the bandwidth (Go, hyper), come with progress; a flood does not.
"""

from h2.errors import ErrorCodes

from discordianai.transport.protocol_errors import Http2ConnectionError

MAX_ALLOWANCE = 1000
"""Idle frames that may come in a row."""

PER_PROGRESS = 10
"""Idle frames that are earned by each frame that brings a request or an answer on."""

COSTLY = 128
"""Bytes of a header block or of settings that take as long to read as a frame of another type."""

MIN_CONTENT = 16
MIN_SENT = 64
"""Bytes of a DATA frame that is progress, received and sent."""

PER_SECOND = 20.0
"""Idle frames that are earned by time: keepalive over days is no flood."""


class FloodGuard:
    """The allowance of one connection, in frames."""

    def __init__(self) -> None:
        self._allowance = float(MAX_ALLOWANCE)
        self._counted_at: float | None = None

    def tick(self, now: float) -> None:
        """It is `now`, in seconds on any clock."""
        if self._counted_at is not None:
            self._earn((now - self._counted_at) * PER_SECOND)
        self._counted_at = now

    def progress(self) -> None:
        """A frame has brought a request or an answer on."""
        self._earn(PER_PROGRESS)

    def received(self, content: int, size: int) -> None:
        """Count a DATA frame of `size` bytes, `content` without padding. Raises `Http2ConnectionError`."""
        if not content or size > 2 * content:
            self.no_progress()
        elif content >= MIN_CONTENT:
            self._earn(PER_PROGRESS)

    def sent(self, size: int) -> None:
        """A DATA frame of `size` bytes was sent. A window that opens byte by byte earns nothing."""
        if size > MIN_SENT:
            self.progress()

    def no_progress(self, size: int = 0) -> None:
        """A frame has brought nothing on. Raises `Http2ConnectionError` if there were too many.

        `size` is that of what had to be decoded for it, in bytes: a thousand fields fit into a kilobyte.
        """
        self._allowance -= 1 + size // COSTLY
        if self._allowance < 0:
            raise Http2ConnectionError(ErrorCodes.ENHANCE_YOUR_CALM, "a flood of frames that bring no answer")

    def _earn(self, frames: float) -> None:
        allowance = self._allowance + frames
        self._allowance = allowance if allowance < MAX_ALLOWANCE else MAX_ALLOWANCE
