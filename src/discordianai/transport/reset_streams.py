"""Streams that this side has reset, and that the server may still count.

By RFC 9113, 5.1.2, they stop counting at once. But a server that reads RST_STREAM and the next HEADERS
together may not have closed the old stream when it sees the new one: lighttpd 1.4 then refuses the new
stream, takes its DATA for an error, and closes the connection under all others. So where the server allows
few streams, the slot of a reset stream is used again only once a PING sent after the reset, or a response to
a later request, has come.
"""


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
