"""Flow-control windows (RFC 9113, 5.2 and 6.9) of a stream or of a connection."""

from h2.errors import ErrorCodes

from discordianai.transport.protocol_errors import Http2ConnectionError

MAX_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
"""Bytes that may be sent before SETTINGS and WINDOW_UPDATE change it (RFC 9113, 6.9.2)."""


class ReceiveWindow:
    """How much the peer may send.

    Bytes that were read are announced by WINDOW_UPDATE in portions of at least `portion`, so that reading in
    small pieces does not cost a frame for each.
    """

    __slots__ = ("_available", "_consumed", "_portion")

    def __init__(self, size: int, portion: int) -> None:
        self._available = size
        self._portion = portion
        self._consumed = 0
        """Bytes that were read and are not announced yet."""

    def received(self, size: int) -> None:
        """Count received bytes, padding included. Raises `Http2ConnectionError` beyond the window."""
        self._available -= size
        if self._available < 0:
            raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, "more data than the window allows")

    def consumed(self, size: int) -> int:
        """Count bytes that were read or discarded. Returns the increment to announce now, or 0."""
        self._consumed += size
        if self._consumed < self._portion:
            return 0
        increment, self._consumed = self._consumed, 0
        self._available += increment
        return increment


class SendWindow:
    """How much this side may send; negative if the server has lowered INITIAL_WINDOW_SIZE."""

    __slots__ = ("available",)

    def __init__(self, available: int) -> None:
        self.available = available

    def enlarge(self, increment: int) -> bool:
        """Whether the window is still within the allowed maximum."""
        self.available += increment
        return self.available <= MAX_WINDOW
