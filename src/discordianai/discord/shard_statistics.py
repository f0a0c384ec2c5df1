"""The statistics of each shard's connection to the gateway. Counted and read on any thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated

from discordianai.metric import Metric


@dataclass(frozen=True, slots=True)
class ShardStatistics:
    """One moment of a shard.

    `trouble` is why it is not connected, as far as that is known, and `next_try` when it is tried again, in
    seconds since the epoch; 0 where it is not. `heartbeat` is None before the first one is answered,
    `servers` before the first READY. `servers_missing_since` is in seconds since the epoch, and None while
    none is missing.
    """

    connected_since: float | None = None
    heartbeat: Annotated[
        float | None,
        Metric("discord_shard_heartbeat_seconds", "Time from the shard's last heartbeat to its answer"),
    ] = None
    servers: Annotated[
        int | None, Metric("discord_shard_servers", "Servers of the shard; Discord allows 2500")
    ] = None
    servers_missing: int = 0
    servers_missing_since: float | None = None
    identifies: int = 0
    resumes: Annotated[
        int, Metric("discord_shard_resumes_total", "Times that the shard resumed its session")
    ] = 0
    losses: Annotated[
        int, Metric("discord_shard_losses_total", "Times that the shard lost its gateway connection")
    ] = 0
    identify_tries: Annotated[
        int, Metric("discord_shard_identify_tries_total", "IDENTIFYs that the shard has sent")
    ] = 0
    resume_tries: int = 0
    trouble: str = ""
    next_try: float = 0.0

    @property
    def connected(
        self,
    ) -> Annotated[bool, Metric("discord_shard_connected", "1 while the shard's gateway is connected")]:
        """Whether it hears."""
        return self.connected_since is not None


class ShardCounter:
    """Counts for one shard; outlives its sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = ShardStatistics()
        self._probe: Callable[[], float | None] | None = None

    def now(self) -> ShardStatistics:
        """A snapshot."""
        return self._counted

    def note_identify(self) -> None:
        """An IDENTIFY is about to be sent."""
        with self._lock:
            self._counted = replace(self._counted, identify_tries=self._counted.identify_tries + 1)

    def resume(self) -> None:
        """The session's connection was lost, and it is about to be resumed."""
        with self._lock:
            self._counted = replace(self._counted, resume_tries=self._counted.resume_tries + 1)

    def note_wait(self, trouble: str, seconds: float) -> None:
        """It is not connected for this reason, and the next try comes in so many seconds."""
        with self._lock:
            self._counted = replace(self._counted, trouble=trouble, next_try=time.time() + seconds)

    def note_refusal(self, trouble: str) -> None:
        """Discord refuses it for good."""
        with self._lock:
            self._counted = replace(self._counted, trouble=trouble, next_try=0.0)

    def identified(self) -> None:
        """A session has begun."""
        with self._lock:
            self._counted = replace(self._counted, identifies=self._counted.identifies + 1)
            self._connect()

    def resumed(self) -> None:
        """The session goes on after its connection was lost."""
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

    @contextmanager
    def watched(self, heartbeat: Callable[[], float | None]) -> Iterator[None]:
        """`look` calls this while the block runs.

        It gives the seconds of the last heartbeat, inf before the first, None while the connection is lost.
        """
        self._probe = heartbeat
        try:
            yield
        finally:
            self._probe = None
            with self._lock:
                self._lose()

    def look(self) -> None:
        """Notice a lost connection: the library tells of a gateway only when it has it again."""
        probe = self._probe
        if probe is None:
            return
        heartbeat = probe()
        with self._lock:
            if heartbeat is None:
                self._lose()
            elif heartbeat != float("inf") and heartbeat != self._counted.heartbeat:
                self._counted = replace(self._counted, heartbeat=heartbeat)

    def _connect(self) -> None:
        self._lose()
        self._counted = replace(self._counted, connected_since=time.time(), trouble="", next_try=0.0)

    def _lose(self) -> None:
        if self._counted.connected:
            losses = self._counted.losses + 1
            self._counted = replace(self._counted, losses=losses, connected_since=None, heartbeat=None)
