"""What either side says of itself in SETTINGS (RFC 9113, 6.5), and the server's window of the connection."""

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from discordianai.transport import frames
from discordianai.transport.compression import MAX_HEADER_LIST
from discordianai.transport.protocol_errors import ConnectionFault
from discordianai.transport.windows import DEFAULT, LARGEST, SendWindow

UNLIMITED = 2**32
LARGEST_FRAME = 2**24 - 1
LEAST_FRAME = 16_384
USED_FRAME = 65_536
"""Bytes of a DATA frame that this side sends at most, so that bodies share the connection."""

HEADER_TABLE = 4096
"""Bytes that the encoder's table takes at most, whatever is allowed."""


def greeting(stream_window: int, window: int) -> bytes:
    """What a client begins with: the settings that it has a use for, and its windows in bytes."""
    settings = {
        SettingCodes.ENABLE_PUSH: 0,
        SettingCodes.INITIAL_WINDOW_SIZE: stream_window,
        SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST,
    }
    return frames.PREFACE + frames.settings(settings) + frames.window_update(0, window - DEFAULT)


class Peer:
    """The server's settings, checked as they come."""

    def __init__(self) -> None:
        self.greeted = False
        """Whether its first SETTINGS have come."""
        self.max_streams = UNLIMITED
        self.frame_size = LEAST_FRAME
        self.header_table = HEADER_TABLE
        self.stream_window = DEFAULT
        self.window = SendWindow(DEFAULT)
        """The connection's."""

    def change(self, code: int, value: int) -> int:
        """Take over one setting; by how much every stream's window changes. Raises `ConnectionFault`."""
        if code == SettingCodes.MAX_CONCURRENT_STREAMS:
            self.max_streams = value
        elif code == SettingCodes.MAX_FRAME_SIZE:
            if not LEAST_FRAME <= value <= LARGEST_FRAME:
                raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, f"MAX_FRAME_SIZE of {value}")
            self.frame_size = min(value, USED_FRAME)
        elif code == SettingCodes.HEADER_TABLE_SIZE:
            self.header_table = min(value, HEADER_TABLE)
        elif code == SettingCodes.ENABLE_PUSH and value:
            raise ConnectionFault(ErrorCodes.PROTOCOL_ERROR, "a server that enables push")
        elif code == SettingCodes.INITIAL_WINDOW_SIZE:
            if value > LARGEST:
                raise ConnectionFault(ErrorCodes.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE of {value}")
            change, self.stream_window = value - self.stream_window, value
            return change
        return 0
