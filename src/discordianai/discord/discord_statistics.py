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
from discordianai.discord.shard_range import ShardRange
from discordianai.discord.shard_statistics import ShardCounter, ShardStatistics
from discordianai.guard import Guard
from discordianai.metric import By, Latencies, Latency, Metric
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
    """A snapshot. `lag` is how late the listener's loop was.

    `shards` has those of this process, by their numbers, once that many are known; the bot has `shard_total`.
    The figures of the gateway are of all of them: connected when all are.

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
    shard_total: Annotated[
        int, Metric("discord_shard_total", "Shards of the bot, those of other processes included")
    ] = 1
    shards: Annotated[Mapping[int, ShardStatistics], By("shard")] = field(default_factory=dict)
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
        Metric("discord_interactions_total", "Interactions, by outcome", ("kind",)),
    ] = field(default_factory=dict)
    events_repeated: Annotated[
        int,
        Metric("discord_events_repeated_total", "Events that came twice and were dropped the second time"),
    ] = 0
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

    def __init__(
        self,
        pseudonyms: Pseudonyms | None = None,
        make_shard_counter: Callable[[], ShardCounter] = ShardCounter,
    ) -> None:
        self._make_shard_counter = make_shard_counter
        self.audit = AuditLog(pseudonyms)
        self._lock = threading.Lock()
        self._counted = DiscordStatistics()
        self._acknowledged = Latencies()
        self._lag = Latencies(KEPT_BEATS)
        self._due: float | None = None
        self._shards: Mapping[int, ShardCounter] = {}

    def use_shards(self, shards: ShardRange) -> None:
        """This process runs these."""
        with self._lock:
            self._counted = replace(self._counted, shard_total=shards.total)
            self._shards = {shard_id: self._make_shard_counter() for shard_id in shards.ids}

    def shard(self, shard_id: int) -> ShardCounter:
        """The counter of a shard. Raises `KeyError` where this process does not run it."""
        return self._shards[shard_id]

    def note_identifies_left(self, left: int | None) -> None:
        """So many IDENTIFYs are left to all shards."""
        with self._lock:
            self._counted = replace(self._counted, identifies_left=left)

    def note_wait(self, trouble: str, seconds: float) -> None:
        """No shard can begin for this reason, and the next try comes in so many seconds."""
        with self._lock:
            self._counted = replace(self._counted, trouble=trouble, next_try=time.time() + seconds)

    def decided(self, kind: str) -> None:
        """An interaction was handled in this way."""
        with self._lock:
            interactions = _one_more(self._counted.interactions, kind)
            self._counted = replace(self._counted, interactions=interactions)

    def acknowledged(self, seconds: float) -> None:
        """Discord has taken an acknowledgement, so long after the event came."""
        with self._lock:
            self._acknowledged.note(seconds)

    def unacknowledged(self, reason: Unacknowledged) -> None:
        """Discord has not taken one."""
        with self._lock:
            unacknowledged = _one_more(self._counted.unacknowledged, reason)
            self._counted = replace(self._counted, unacknowledged=unacknowledged)

    def event_repeated(self) -> None:
        """An event has come that this process has had before."""
        with self._lock:
            self._counted = replace(self._counted, events_repeated=self._counted.events_repeated + 1)

    def refusal_unsaid(self) -> None:
        """Somebody's message is not answered, and they are not told why."""
        with self._lock:
            self._counted = replace(self._counted, refusals_unsaid=self._counted.refusals_unsaid + 1)

    def command_dropped(self) -> None:
        """A command that was acknowledged is not run."""
        with self._lock:
            self._counted = replace(self._counted, commands_dropped=self._counted.commands_dropped + 1)

    async def watch(self) -> None:
        """Measure the loop that this runs on, and notice lost gateways, until cancelled."""
        guard = Guard(
            structlog.get_logger("discordianai.discord.discord_statistics"), "a bug in watching the gateway"
        )
        try:
            while True:
                due = time.monotonic() + BEAT
                self._due = due
                await asyncio.sleep(BEAT)
                with self._lock:
                    self._lag.note(max(time.monotonic() - due, 0.0))
                for shard in self._shards.values():
                    with guard:
                        shard.look()
        finally:
            self._due = None

    def now(self) -> DiscordStatistics:
        """A snapshot."""
        with self._lock:
            due, shards = self._due, {shard_id: shard.now() for shard_id, shard in self._shards.items()}
            return replace(
                _with_sums(self._counted, shards),
                audit=self.audit.now(),
                acknowledged=self._acknowledged.now(),
                lag=self._lag.now(),
                overdue=max(time.monotonic() - due, 0.0) if due is not None else 0.0,
            )


def _with_sums(counted: DiscordStatistics, by_id: Mapping[int, ShardStatistics]) -> DiscordStatistics:
    """With what follows from the shards."""
    if not by_id:
        return counted
    shards = by_id.values()
    connected = [shard.connected_since for shard in shards if shard.connected_since is not None]
    servers = [shard.servers for shard in shards if shard.servers is not None]
    missing = [shard.servers_missing_since for shard in shards if shard.servers_missing_since is not None]
    troubled = next((shard for shard in shards if shard.trouble and not shard.connected), None)
    return replace(
        counted,
        connected_since=max(connected) if len(connected) == len(shards) else None,
        identifies=sum(shard.identifies for shard in shards),
        resumes=sum(shard.resumes for shard in shards),
        losses=sum(shard.losses for shard in shards),
        identify_tries=sum(shard.identify_tries for shard in shards),
        resume_tries=sum(shard.resume_tries for shard in shards),
        servers=sum(servers) if servers else None,
        servers_missing=sum(shard.servers_missing for shard in shards),
        servers_missing_since=min(missing, default=None),
        trouble=troubled.trouble if troubled else "",
        next_try=troubled.next_try if troubled else 0.0,
        shards=by_id,
    )


def _one_more(counts: Mapping[Key, int], key: Key) -> Mapping[Key, int]:
    return {**counts, key: counts.get(key, 0) + 1}
