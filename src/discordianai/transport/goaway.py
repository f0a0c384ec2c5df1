"""Takes GOAWAY out of a stream of frames before `h2` sees it.

h2 4.4.1 treats a connection as closed once it has received GOAWAY, and refuses every later frame, though
RFC 9113 (6.8) lets the streams up to `last_stream_id` finish. So h2 is not told, and the pool keeps to the rule.
"""

from dataclasses import dataclass

FRAME_HEADER = 9
GOAWAY = 7
LONGEST_GOAWAY = 16_384
"""Bytes; the frame size that this side allows. A longer one is passed on, for h2 to refuse."""


@dataclass(frozen=True, slots=True)
class Goaway:
    """Streams above `last_stream_id` were not processed, and will not be."""

    last_stream_id: int
    error_code: int


class GoawayFilter:
    """Splits what is received, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._held = b""
        self._rest_of_frame = 0

    def feed(self, data: bytes) -> tuple[bytes, list[Goaway]]:
        """The same bytes without GOAWAY frames, and what those said. A cut frame waits for its rest."""
        if self._held:
            data, self._held = self._held + data, b""
        position = self._rest_of_frame
        passed: list[bytes] = []
        goaways: list[Goaway] = []
        start, end = 0, len(data)
        while position + FRAME_HEADER <= end:
            after = position + FRAME_HEADER + int.from_bytes(data[position : position + 3], "big")
            if data[position + 3] != GOAWAY or after - position > LONGEST_GOAWAY:
                position = after
                continue
            if after > end:
                break
            goaways.append(_read(data[position + FRAME_HEADER : after]))
            passed.append(data[start:position])
            start = position = after
        if position < end:
            self._held, end = data[position:], position
        self._rest_of_frame = max(position - end, 0)
        if not passed and end == len(data):
            return data, goaways  # the usual case copies nothing
        passed.append(data[start:end])
        return b"".join(passed), goaways


def _read(payload: bytes) -> Goaway:
    return Goaway(int.from_bytes(payload[:4], "big") & 0x7FFF_FFFF, int.from_bytes(payload[4:8], "big"))
