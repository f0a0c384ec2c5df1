"""Notifies systemd of the bot's state, as in sd_notify(3): datagrams to the socket in NOTIFY_SOCKET.

A notification is a courtesy: it never raises, and never waits. The manager's queue is short (10 datagrams, or
512 where systemd set `net.unix.max_dgram_qlen`) and shared by all services, so that a datagram may find it
full. What describes the bot (ready, status, stopping) is then kept and goes along with the next one; what is
about this moment (watchdog, more time) is not, since it would be a lie later.
"""

import os
import socket
import time
from collections.abc import Mapping

import structlog

LONGEST_STATUS = 400
"""Characters. The manager reads datagrams of at most 4096 bytes."""


class Notifier:
    """Sends notifications to the service manager, if there is one. For one thread only."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._watchdog_seconds = _watchdog_seconds(environment) if name else None
        self._kept: dict[str, str] = {}
        self._status: str | None = None
        self._starting = True
        self._reached = True
        self._log = structlog.get_logger("discordianai.operations.systemd")

    @property
    def active(self) -> bool:
        """Whether a service manager expects notifications."""
        return bool(self._address)

    @property
    def watchdog_seconds(self) -> float | None:
        """Seconds the manager waits for `watchdog` before it stops the bot; None: no watchdog."""
        return self._watchdog_seconds

    @property
    def starting(self) -> bool:
        """Whether neither `ready` nor `stopping` has been sent yet."""
        return self._starting

    def ready(self) -> None:
        """Notify that the bot receives commands, or that it has reloaded its settings."""
        self._starting = False
        self._tell({"READY": "1"})

    def reloading(self) -> None:
        """Notify that the settings are being reloaded; `ready` must follow, even if they are rejected."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell({"RELOADING": "1", "MONOTONIC_USEC": str(now)})

    def stopping(self) -> None:
        """Notify that the bot is stopping."""
        self._starting = False
        self._tell({"STOPPING": "1"})

    def status(self, text: str) -> None:
        """Send the line for `systemctl status`, if it has changed."""
        line = "".join(character if character.isprintable() else " " for character in text)[:LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._tell({"STATUS": line})

    def watchdog(self) -> None:
        """Notify the watchdog; must be repeated within `watchdog_seconds`."""
        if self._watchdog_seconds is not None:
            self._tell({"WATCHDOG": "1"}, keep=False)

    def extend_timeout(self, seconds: float) -> None:
        """Ask for `seconds` more to start or stop; must be repeated before they are over."""
        self._tell({"EXTEND_TIMEOUT_USEC": str(int(seconds * 1_000_000))}, keep=False)

    def _tell(self, news: Mapping[str, str], *, keep: bool = True) -> None:
        if not self.active:
            return
        # The newest comes last: of READY, RELOADING and STOPPING in one datagram, the last one counts.
        lines = {key: value for key, value in self._kept.items() if key not in news} | dict(news)
        if self._sent("\n".join(f"{key}={value}" for key, value in lines.items())):
            self._kept = {}
        elif keep:
            self._kept = lines

    def _sent(self, message: str) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as unix:
                unix.setblocking(False)
                unix.sendto(message.encode("utf-8", "replace"), self._address)
        except (OSError, ValueError) as error:  # ValueError: the address has a NUL byte in it
            if self._reached:
                self._log.warning("service manager could not be notified", reason=type(error).__name__)
            self._reached = False
        else:
            self._reached = True
        return self._reached


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """What WATCHDOG_USEC says, where it is said to this process (sd_watchdog_enabled(3))."""
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
        addressee = int(environment.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return microseconds / 1_000_000 if microseconds > 0 and addressee == os.getpid() else None
