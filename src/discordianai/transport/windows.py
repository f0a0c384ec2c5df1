"""Flow control of RFC 9113, 5.2 and 6.9: one account for each window, of a stream or of a connection."""

from h2.errors import ErrorCodes

from discordianai.transport.protocol_errors import ConnectionFault

LARGEST = 2**31 - 1
DEFAULT = 65_535
"""Bytes that may be sent before anything was agreed on (RFC 9113, 6.9.2)."""


class ReceiveWindow:
    """What the peer may still send.

    What was read is announced in portions of `portion` bytes: reading small pieces costs no frame each.
    """

    __slots__ = ("_portion", "_read", "_room")

    def __init__(self, size: int, portion: int) -> None:
        self._room = size
        self._portion = portion
        self._read = 0
        """Bytes that were read and are not announced yet."""

    def received(self, size: int) -> None:
        """So much has come, padding included. Raises `ConnectionFault` if it is more than was allowed."""
        self._room -= size
        if self._room < 0:
            raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, "more data than the window allows")

    def read(self, size: int) -> int:
        """So much was read, or given up: by how much to enlarge the peer's window now, 0 if not yet."""
        self._read += size
        if self._read < self._portion:
            return 0
        increment, self._read = self._read, 0
        self._room += increment
        return increment


class SendWindow:
    """What this side may still send; negative where the peer has made its windows smaller."""

    __slots__ = ("room",)

    def __init__(self, room: int) -> None:
        self.room = room

    def enlarge(self, increment: int) -> bool:
        """Whether the window is of an allowed size then."""
        self.room += increment
        return self.room <= LARGEST
