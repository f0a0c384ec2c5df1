"""Request bodies on their way out, as far as the server's windows let them."""

from collections.abc import Iterator

from h2.connection import H2Connection


class Uploads:
    """The bodies that are not sent whole yet, by stream."""

    def __init__(self, machine: H2Connection) -> None:
        self._machine = machine
        self._rests: dict[int, memoryview] = {}

    def __contains__(self, stream_id: int) -> bool:
        return stream_id in self._rests

    def __len__(self) -> int:
        return len(self._rests)

    def add(self, stream_id: int, body: bytes) -> None:
        """Begin with a body, which is not empty."""
        self._rests[stream_id] = memoryview(body)

    def discard(self, stream_id: int) -> None:
        """Send no more of this one."""
        self._rests.pop(stream_id, None)

    def clear(self) -> None:
        """Send no more of any."""
        self._rests.clear()

    def send_a_frame_of_each(self) -> Iterator[int]:
        """One frame at a time, so that bodies share the connection; the streams that got on."""
        for stream_id in list(self._rests):
            if self._send_a_frame(stream_id):
                yield stream_id

    def _send_a_frame(self, stream_id: int) -> bool:
        rest, machine = self._rests[stream_id], self._machine
        size = min(machine.local_flow_control_window(stream_id), machine.max_outbound_frame_size, len(rest))
        if size <= 0:
            return False
        machine.send_data(stream_id, bytes(rest[:size]), end_stream=size == len(rest))
        if size == len(rest):
            del self._rests[stream_id]
        else:
            self._rests[stream_id] = rest[size:]
        return True
