"""A service manager's end of the notification socket: a real one, read by the test."""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

QUEUE = 64 * 1024


class Manager:
    """Receives what a bot tells; made by `open_manager`."""

    def __init__(self, listening: socket.socket, name: str) -> None:
        self._listening = listening
        self._name = name

    def environment(self, **more: str) -> Mapping[str, str]:
        """What systemd would set."""
        return {"NOTIFY_SOCKET": self._name, **more}

    def watching(self, seconds: float) -> Mapping[str, str]:
        """What systemd would set with `WatchdogSec=`, for this process."""
        return self.environment(WATCHDOG_USEC=str(int(seconds * 1e6)), WATCHDOG_PID=str(os.getpid()))

    def waiting(self) -> list[str]:
        """The datagrams that have come, without waiting for more."""
        self._listening.setblocking(False)
        datagrams = []
        while True:
            try:
                datagrams.append(self._listening.recv(QUEUE).decode())
            except BlockingIOError:
                return datagrams

    def hears(self, text: str, timeout: float = 10.0) -> bool:
        """Whether a datagram with `text` comes; those before it are dropped. Blocks its thread."""
        self.waiting()
        self._listening.settimeout(timeout)
        with suppress(TimeoutError):
            while text not in self._listening.recv(QUEUE).decode():
                pass
            return True
        return False

    def during(self, seconds: float) -> list[str]:
        """The datagrams that come within `seconds`, and not before. Blocks its thread."""
        self.waiting()
        end = time.monotonic() + seconds
        datagrams = []
        while (left := end - time.monotonic()) > 0:
            self._listening.settimeout(left)
            try:
                datagrams.append(self._listening.recv(QUEUE).decode())
            except TimeoutError:
                break
        return datagrams


@contextmanager
def open_manager(folder: Path) -> Iterator[Manager]:
    """Listen on a socket in `folder`."""
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        yield Manager(listening, str(path))


@contextmanager
def open_abstract_manager(name: str) -> Iterator[Manager]:
    """Listen on a socket that has a name and no file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        yield Manager(listening, "@" + name)
