"""Flow control of RFC 9113, 5.2 and 6.9: one account for each window, of a stream or of a connection."""

from h2.errors import ErrorCodes

from discordianai.transport.protocol_errors import Http2ConnectionError

MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
"""Bytes that may be sent before anything was agreed on (RFC 9113, 6.9.2)."""


class ReceiveWindow:
    """What the peer may still send.

    What was read is announced in portions of `portion` bytes: reading small pieces costs no frame each.
    """

    __slots__ = ("_available", "_portion", "_read")

    def __init__(self, size: int, portion: int) -> None:
        self._available = size
        self._portion = portion
        self._read = 0
        """Bytes that were read and are not announced yet."""

    def received(self, size: int) -> None:
        """Count received bytes, padding included. Raises `Http2ConnectionError` if the window is exceeded."""
        self._available -= size
        if self._available < 0:
            raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "more data than the window allows")

    def consumed(self, size: int) -> int:
        """So much was read, or given up: by how much to enlarge the peer's window now, 0 if not yet."""
        self._read += size
        if self._read < self._portion:
            return 0
        increment, self._read = self._read, 0
        self._available += increment
        return increment


class SendWindow:
    """What this side may still send; negative where the peer has made its windows smaller."""

    __slots__ = ("available",)

    def __init__(self, available: int) -> None:
        self.available = available

    def enlarge(self, increment: int) -> bool:
        """Whether the window is of an allowed size then."""
        self.available += increment
        return self.available <= MAX_WINDOW
