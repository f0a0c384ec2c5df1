"""What the front door tells about itself. Counted on the listener's thread, read on any."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from discordianai.guard import Guard
from discordianai.latencies import Latencies, Latency

BEAT = 0.25
"""Seconds between two looks at how late the listener's loop is, and at the gateway."""

KEPT_BEATS = 240
"""A minute of them."""


class Unacknowledged(StrEnum):
    """Why Discord did not take an acknowledgement."""

    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DiscordStatistics:
    """One moment of it. Totals are `identifies` and `resumes` of gateway sessions, the tries of both, the
    gateway's `losses`, `unacknowledged` by reason, and `interactions` by what became of them.

    `connected_since` is in seconds since the epoch, None while there is no gateway. `acknowledged` is the
    time from an event to Discord's word that it has taken the acknowledgement. `lag` is how late the
    listener's loop was, `overdue` the seconds for which it has not taken its turn now.

    `trouble` is why there is no gateway, as far as that is known, and `next_try` when it is tried again, in
    seconds since the epoch. `identifies_left` is how many Discord allows still, None before it was asked.
    """

    connected_since: float | None = None
    acknowledged: Latency = field(default_factory=Latency)
    lag: Latency = field(default_factory=Latency)
    overdue: float = 0.0
    identifies: int = 0
    resumes: int = 0
    losses: int = 0
    identify_tries: int = 0
    resume_tries: int = 0
    identifies_left: int | None = None
    trouble: str = ""
    next_try: float = 0.0
    unacknowledged: Mapping[str, int] = field(default_factory=dict)
    interactions: Mapping[str, int] = field(default_factory=dict)


class DiscordFigures:
    """Outlives the listeners, which come and go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connected_since: float | None = None
        self._acknowledged = Latencies()
        self._lag = Latencies(KEPT_BEATS)
        self._due: float | None = None
        self._identifies = self._resumes = self._losses = 0
        self._identify_tries = self._resume_tries = 0
        self._identifies_left: int | None = None
        self._trouble, self._next_try = "", 0.0
        self._unacknowledged: Counter[str] = Counter()
        self._interactions: Counter[str] = Counter()

    def identify(self, left: int | None) -> None:
        """An IDENTIFY is about to be sent; so many are left then."""
        with self._lock:
            self._identify_tries += 1
            self._identifies_left = left

    def resume(self) -> None:
        """A session's connection was lost, and it is about to be gone on with."""
        with self._lock:
            self._resume_tries += 1

    def wait(self, trouble: str, seconds: float) -> None:
        """There is no gateway for this reason, and the next try comes in so many seconds."""
        with self._lock:
            self._trouble, self._next_try = trouble, time.time() + seconds

    def identified(self) -> None:
        """A session has begun."""
        with self._lock:
            self._identifies += 1
            self._connect()

    def resumed(self) -> None:
        """A session goes on after its connection was lost."""
        with self._lock:
            self._resumes += 1
            self._connect()

    def decided(self, kind: str) -> None:
        """This became of an interaction."""
        with self._lock:
            self._interactions[kind] += 1

    def acknowledged(self, seconds: float) -> None:
        """Discord has taken an acknowledgement, so long after the event came."""
        with self._lock:
            self._acknowledged.note(seconds)

    def refused(self, reason: Unacknowledged) -> None:
        """Discord has not taken one."""
        with self._lock:
            self._unacknowledged[reason.value] += 1

    async def watch(self, is_connected: Callable[[], bool]) -> None:
        """Measure the loop that this runs on, and notice a lost gateway, until cancelled.

        The library tells of a gateway only when it has it again.
        """
        guard = Guard(structlog.get_logger("discordianai.discord"), "a bug in watching the gateway")
        try:
            while True:
                due = time.monotonic() + BEAT
                self._due = due
                await asyncio.sleep(BEAT)
                with guard, self._lock:
                    self._lag.note(max(time.monotonic() - due, 0.0))
                    if not is_connected():
                        self._lose()
        finally:
            with self._lock:
                self._due = None
                self._lose()

    def now(self) -> DiscordStatistics:
        """This moment."""
        with self._lock:
            due = self._due
            return DiscordStatistics(
                connected_since=self._connected_since,
                acknowledged=self._acknowledged.now(),
                lag=self._lag.now(),
                overdue=max(time.monotonic() - due, 0.0) if due is not None else 0.0,
                identifies=self._identifies,
                resumes=self._resumes,
                losses=self._losses,
                identify_tries=self._identify_tries,
                resume_tries=self._resume_tries,
                identifies_left=self._identifies_left,
                trouble=self._trouble,
                next_try=self._next_try,
                unacknowledged=dict(self._unacknowledged),
                interactions=dict(self._interactions),
            )

    def _connect(self) -> None:
        self._lose()
        self._connected_since = time.time()
        self._trouble, self._next_try = "", 0.0

    def _lose(self) -> None:
        self._losses += self._connected_since is not None
        self._connected_since = None
