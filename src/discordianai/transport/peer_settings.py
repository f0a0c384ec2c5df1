"""SETTINGS of either side (RFC 9113, 6.5)."""

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from discordianai.transport import frames
from discordianai.transport.fields import MAX_HEADER_LIST
from discordianai.transport.frames import Http2ConnectionError
from discordianai.transport.stream import DEFAULT_WINDOW, MAX_WINDOW

UNLIMITED = 2**32
MAX_FRAME_SIZE = 2**24 - 1
MIN_FRAME_SIZE = 16_384
MAX_USED_FRAME_SIZE = 65_536
"""Bytes of the largest DATA frame that is sent, so that bodies share the connection."""

MAX_TABLE_SIZE = 4096
"""Bytes of the encoder's dynamic table, even if the server allows more."""


def connection_preface(stream_window: int, connection_window: int) -> bytes:
    """The client's connection preface (RFC 9113, 3.4): its settings and its windows, in bytes."""
    settings = {
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: stream_window,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST,
    }
    return (
        frames.PREFACE
        + frames.settings(settings)
        + frames.window_update(0, connection_window - DEFAULT_WINDOW)
    )


class PeerSettings:
    """The server's settings, checked as they come."""

    def __init__(self) -> None:
        self.settings_received = False
        """Whether its first SETTINGS have come."""
        self.max_streams = UNLIMITED
        self.frame_size = MIN_FRAME_SIZE
        self.table_size = MAX_TABLE_SIZE
        self.stream_window = DEFAULT_WINDOW

    def change(self, code: int, value: int) -> int:
        """Apply one setting. Returns by how much every stream's send window changes.

        Raises `Http2ConnectionError`.
        """
        if code == SettingCodes.MAX_CONCURRENT_STREAMS:
            self.max_streams = value
        elif code == SettingCodes.MAX_FRAME_SIZE:
            if not MIN_FRAME_SIZE <= value <= MAX_FRAME_SIZE:
                raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, f"MAX_FRAME_SIZE of {value}")
            self.frame_size = min(value, MAX_USED_FRAME_SIZE)
        elif code == SettingCodes.HEADER_TABLE_SIZE:
            self.table_size = min(value, MAX_TABLE_SIZE)
        elif code == SettingCodes.ENABLE_PUSH and value:
            raise Http2ConnectionError(ErrorCodes.PROTOCOL_ERROR, "a server that enables push")
        elif code == SettingCodes.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise Http2ConnectionError(ErrorCodes.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE of {value}")
            change, self.stream_window = value - self.stream_window, value
            return change
        return 0
