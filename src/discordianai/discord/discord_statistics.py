"""The statistics of the connection to Discord. Counted and read on any thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, TypeVar

import structlog

from discordianai.discord.audit_log import AuditLog, AuditStatistics
from discordianai.guard import Guard
from discordianai.metric import Latencies, Latency, Metric
from discordianai.pseudonyms import Pseudonyms

BEAT = 0.25
"""Seconds between two looks at how late the listener's loop is, and at the gateway."""

Key = TypeVar("Key", bound=str)

KEPT_BEATS = 240
"""A minute of them."""


class Unacknowledged(StrEnum):
    """Why Discord did not take an acknowledgement."""

    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DiscordStatistics:
    """One moment of it. `lag` is how late the listener's loop was.

    `trouble` is why there is no gateway, as far as that is known, and `next_try` when it is tried again, in
    seconds since the epoch. `identifies_left` is how many Discord allows still, None before it was asked.
    `servers` is None before the first READY. `servers_missing_since` is in seconds since the epoch, and None
    while none is missing.
    """

    connected_since: Annotated[
        float | None,
        Metric("discord_connected_since_seconds", "When the gateway connected, in seconds since the epoch"),
    ] = None
    acknowledged: Annotated[
        Latency,
        Metric(
            "discord_acknowledgement_seconds",
            "Time from an event to its acknowledgement; Discord waits three seconds",
        ),
    ] = field(default_factory=Latency)
    lag: Latency = field(default_factory=Latency)
    overdue: Annotated[
        float,
        Metric(
            "event_loop_overdue_seconds", "Time for which the Discord thread's event loop has been silent"
        ),
    ] = 0.0
    identifies: Annotated[
        int, Metric("discord_identifies_total", "Gateway sessions started; Discord allows about 1000 a day")
    ] = 0
    resumes: Annotated[int, Metric("discord_resumes_total", "Gateway sessions resumed")] = 0
    losses: Annotated[int, Metric("discord_gateway_losses_total", "Gateway connections lost")] = 0
    identify_tries: Annotated[
        int,
        Metric("discord_identify_tries_total", "IDENTIFYs sent; Discord counts each, whatever it answers"),
    ] = 0
    resume_tries: Annotated[int, Metric("discord_resume_tries_total", "RESUMEs sent")] = 0
    identifies_left: int | None = None
    servers: Annotated[
        int | None, Metric("discord_servers", "Servers that the bot is in, as far as Discord has named them")
    ] = None
    servers_missing: Annotated[
        int,
        Metric(
            "discord_servers_missing", "Servers that Discord named but has not sent, or that are unavailable"
        ),
    ] = 0
    servers_missing_since: float | None = None
    trouble: str = ""
    next_try: float = 0.0
    unacknowledged: Annotated[
        Mapping[Unacknowledged, int],
        Metric(
            "discord_unacknowledged_total",
            "Acknowledgements that Discord did not accept",
            ("reason",),
            notable=True,
        ),
    ] = field(default_factory=dict)
    interactions: Annotated[
        Mapping[str, int],
        Metric("discord_interactions_total", "Interactions, by what became of them", ("kind",)),
    ] = field(default_factory=dict)
    refusals_unsaid: Annotated[
        int,
        Metric("discord_refusals_unsaid_total", "Messages neither answered nor refused with a message"),
    ] = 0
    commands_dropped: Annotated[
        int,
        Metric("discord_commands_dropped_total", "Commands not run because too many waited", notable=True),
    ] = 0

    audit: AuditStatistics = field(default_factory=AuditStatistics)

    @property
    def connected(self) -> Annotated[bool, Metric("discord_connected", "1 while the gateway is connected")]:
        """Whether there is one."""
        return self.connected_since is not None


class DiscordCounter:
    """Outlives the listeners, and so does its `audit`."""

    def __init__(self, pseudonyms: Pseudonyms | None = None) -> None:
        self.audit = AuditLog(pseudonyms)
        self._lock = threading.Lock()
        self._counted = DiscordStatistics()
        self._acknowledged = Latencies()
        self._lag = Latencies(KEPT_BEATS)
        self._due: float | None = None

    def note_identify(self, left: int | None) -> None:
        """An IDENTIFY is about to be sent; so many are left then."""
        with self._lock:
            tries = self._counted.identify_tries + 1
            self._counted = replace(self._counted, identify_tries=tries, identifies_left=left)

    def resume(self) -> None:
        """A session's connection was lost, and it is about to be resumed."""
        with self._lock:
            self._counted = replace(self._counted, resume_tries=self._counted.resume_tries + 1)

    def note_wait(self, trouble: str, seconds: float) -> None:
        """There is no gateway for this reason, and the next try comes in so many seconds."""
        with self._lock:
            self._counted = replace(self._counted, trouble=trouble, next_try=time.time() + seconds)

    def identified(self) -> None:
        """A session has begun."""
        with self._lock:
            self._counted = replace(self._counted, identifies=self._counted.identifies + 1)
            self._connect()

    def resumed(self) -> None:
        """A session goes on after its connection was lost."""
        with self._lock:
            self._counted = replace(self._counted, resumes=self._counted.resumes + 1)
            self._connect()

    def note_servers(self, named: int, missing: int) -> None:
        """Discord has named so many servers, and of them has not sent so many."""
        with self._lock:
            since = self._counted.servers_missing_since or time.time() if missing else None
            self._counted = replace(
                self._counted, servers=named, servers_missing=missing, servers_missing_since=since
            )

    def decided(self, kind: str) -> None:
        """An interaction was handled in this way."""
        with self._lock:
            interactions = _one_more(self._counted.interactions, kind)
            self._counted = replace(self._counted, interactions=interactions)

    def acknowledged(self, seconds: float) -> None:
        """Discord has taken an acknowledgement, so long after the event came."""
        with self._lock:
            self._acknowledged.note(seconds)

    def refused(self, reason: Unacknowledged) -> None:
        """Discord has not taken one."""
        with self._lock:
            unacknowledged = _one_more(self._counted.unacknowledged, reason)
            self._counted = replace(self._counted, unacknowledged=unacknowledged)

    def refusal_unsaid(self) -> None:
        """Somebody's message is not answered, and they are not told why."""
        with self._lock:
            self._counted = replace(self._counted, refusals_unsaid=self._counted.refusals_unsaid + 1)

    def command_dropped(self) -> None:
        """A command that was acknowledged is not run."""
        with self._lock:
            self._counted = replace(self._counted, commands_dropped=self._counted.commands_dropped + 1)

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
        """A snapshot."""
        with self._lock:
            due = self._due
            return replace(
                self._counted,
                audit=self.audit.now(),
                acknowledged=self._acknowledged.now(),
                lag=self._lag.now(),
                overdue=max(time.monotonic() - due, 0.0) if due is not None else 0.0,
            )

    def _connect(self) -> None:
        self._lose()
        self._counted = replace(self._counted, connected_since=time.time(), trouble="", next_try=0.0)

    def _lose(self) -> None:
        if self._counted.connected:
            losses = self._counted.losses + 1
            self._counted = replace(self._counted, losses=losses, connected_since=None)


def _one_more(counts: Mapping[Key, int], key: Key) -> Mapping[Key, int]:
    return {**counts, key: counts.get(key, 0) + 1}
