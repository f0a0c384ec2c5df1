"""Streams that this side has reset, and that the server may still count.

By RFC 9113, 5.1.2, their places are free at once. But a server that reads RST_STREAM and the next HEADERS in
one go may not have cleared up in between: lighttpd 1.4 then refuses the new stream, takes its DATA for an
error, and ends the connection under all others. So where places are scarce, a reset one is used again only
after a PING behind the reset has come back, or an answer to a later request.
"""


class ResetStreams:
    """Counts them, for one connection."""

    PING_PAYLOAD = b"\0" * 7 + b"\1"
    """Of the PINGs that ask whether a reset has been seen."""

    def __init__(self) -> None:
        self._unasked = 0
        self._asked = 0
        self._next_id = 0

    @property
    def count(self) -> int:
        """How many places may not be free yet."""
        return self._unasked + self._asked

    def add(self, next_id: int) -> None:
        """Another stream was reset; the next one that is opened will be `next_id`."""
        self._unasked += 1
        self._next_id = next_id

    def ping_due(self) -> bool:
        """Whether a PING is due; then it is taken to be sent behind all resets until now."""
        if self._asked or not self._unasked:
            return False
        self._asked, self._unasked = self._unasked, 0
        return True

    def ping_acknowledged(self) -> None:
        """The PING has come back."""
        self._asked = 0

    def response_on(self, stream_id: int) -> bool:
        """The server answers on this stream: if it is a later one, all resets have been seen.

        Whether that makes places free.
        """
        if not self.count or stream_id < self._next_id:
            return False
        self._asked = self._unasked = 0
        return True
