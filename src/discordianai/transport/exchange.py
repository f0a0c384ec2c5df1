"""One exchange of a request and its response, with its deadline: the caller waits here, the pool and a
connection move it on.

A cancel scope around every wait would do the same for more: it took 9 of the 14 us of CPU time that a
streamed event costs. Deadlines that move later, as nearly all do, cost nothing here.

Only the caller's methods wait. All others are plain calls, so that cancelling the caller leaves nothing half
done.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import anyio
import httpx

from discordianai.transport.pool_events import Origin
from discordianai.transport.uploads import Body

log = logging.getLogger(__name__)


class HasDeadline(Protocol):
    """Whoever makes `deadline` earlier calls `DeadlineWatcher.reschedule`."""

    deadline: float
    """On anyio's clock; infinite while nothing is awaited."""

    def deadline_passed(self) -> None:
        """Called once the deadline has passed."""


class DeadlineWatcher:
    """Calls `deadline_passed` of each of `watched` in time."""

    def __init__(self) -> None:
        self.watched: set[HasDeadline] = set()
        self._wake_at = math.inf
        self._earlier = anyio.Event()

    def reschedule(self, deadline: float) -> None:
        """Wake up for this deadline, if it is earlier than the others."""
        if deadline < self._wake_at:
            self._wake_at = deadline
            self._earlier.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self._earlier = anyio.Event()
            with anyio.CancelScope(deadline=self._wake_at):
                await self._earlier.wait()
                continue
            now = anyio.current_time()
            for watched in [watched for watched in self.watched if watched.deadline <= now]:
                try:
                    watched.deadline_passed()
                except Exception:
                    # The deadlines of all others are still to be watched.
                    watched.deadline = math.inf
                    log.exception("a bug in the HTTP/2 pool, at a deadline")
            # Deadlines that have passed belong to what is done with; only later ones are waited for.
            self._wake_at = min((w.deadline for w in self.watched if w.deadline > now), default=math.inf)


RawHeaders = list[tuple[bytes, bytes]]

MIN_WRITE_TIMEOUT = 0.01
"""Seconds that a write timeout allows at least: another task writes, and needs its turn."""


class Phase(Enum):
    """What an exchange waits for."""

    POOL = auto()
    """A free slot on a connection."""
    CONNECT = auto()
    """A connection that is being opened for it."""
    WRITE = auto()
    BODY = auto()
    """More of the request's body, from the caller."""
    READ = auto()


TIMEOUT_ERRORS: Mapping[Phase, tuple[type[httpx.TimeoutException], str]] = {
    Phase.POOL: (httpx.PoolTimeout, "no free connection in the pool"),
    Phase.CONNECT: (httpx.ConnectTimeout, "no connection"),
    Phase.WRITE: (httpx.WriteTimeout, "nothing could be sent"),
    Phase.READ: (httpx.ReadTimeout, "nothing came"),
}
QUEUED = frozenset({Phase.POOL, Phase.CONNECT})
"""A request may return to these; their timeouts limit the total time there."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each wait of one request; None for no limit."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None

    @classmethod
    def of(cls, extensions: Mapping[str, object]) -> "Timeouts":
        """Those that httpx sends along with a request; anything else there is ignored."""
        given = extensions.get("timeout")
        if not isinstance(given, Mapping):
            return cls()
        known = {key: given.get(key) for key in ("connect", "read", "write", "pool")}
        return cls(**{key: value for key, value in known.items() if isinstance(value, int | float)})

    def within(self, phase: Phase) -> float | None:
        """Seconds for one wait in `phase`, or for all waits together in those of `QUEUED`."""
        match phase:
            case Phase.POOL:
                return self.pool
            case Phase.CONNECT:
                return self.connect
            case Phase.WRITE:
                return None if self.write is None else max(self.write, MIN_WRITE_TIMEOUT)
            case Phase.READ:
                return self.read
            case Phase.BODY:
                return None


class ExchangeHandler(Protocol):
    """Where an exchange is at the moment: a pool that queues it, or a stream."""

    def cancel(self, exchange: "Exchange") -> None:
        """Nobody waits for the response any more."""

    def consumed(self, exchange: "Exchange", size: int) -> None:
        """`size` bytes of the flow-control window were read, or discarded."""


class Exchange:
    """`headers` are the header list of HTTP/2, pseudo-headers first."""

    def __init__(
        self, origin: Origin, headers: RawHeaders, body: Body, timeouts: Timeouts, deadlines: DeadlineWatcher
    ) -> None:
        self.origin = origin
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.handler: ExchangeHandler | None = None
        self.attempts = Attempts()
        self.stream_id = 0
        """Of the response; for the caller's logs, nothing here uses it."""
        self.status = 0
        self.response_headers: RawHeaders = []
        self.trailers: RawHeaders = []
        self.complete = False
        self.needs_http1 = False
        """Whether it ended unprocessed, because the server requires HTTP/1.1."""
        self.unread = 0
        """Bytes of the flow-control window that have come and were not read."""
        self.delay_reason = ""
        """Why it has no connection yet, for the message of a timeout."""
        self.deadline = math.inf
        self._phase = Phase.WRITE
        self._since = 0.0
        self._spent = dict.fromkeys(QUEUED, 0.0)
        self._chunks: list[bytes] = []
        self._failure: Callable[[], Exception] | None = None
        self._changed: anyio.Event | None = None
        self._timed_out_in: Phase | None = None
        self._deadlines = deadlines
        deadlines.watched.add(self)

    # The caller's side

    async def response(self) -> None:
        """Wait for `status` and `response_headers`, or for `needs_http1`. Raises `httpx.TransportError`."""
        while not self.status and not self.needs_http1:
            self._raise_failure()
            await self._wait()

    async def next_chunk(self) -> bytes:
        """All content that has come since the last call; waits if there is none. Empty at the end.

        Raises `httpx.TransportError`, after the content that came before the failure.
        """
        while not self._chunks:
            self._raise_failure()
            if self.complete:
                return b""
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._give_back_window()
        return data

    def close(self) -> None:
        """Cancel the request unless it is complete, and discard what is unread. Safe to repeat."""
        self._deadlines.watched.discard(self)
        self.body.stop()
        handler = self.handler
        if handler is None:
            return
        self._chunks.clear()
        self._give_back_window()
        self.handler = None
        if not self.complete:
            handler.cancel(self)

    async def _wait(self) -> None:
        """Wait for a change within the timeout of the phase, which may change meanwhile."""
        self._changed = anyio.Event()
        self._set_deadline()
        await self._changed.wait()
        self._changed = None
        self.deadline = math.inf
        if self._timed_out_in is not None:
            phase, self._timed_out_in = self._timed_out_in, None
            kind, what = TIMEOUT_ERRORS[phase]
            reason = f"; {self.delay_reason}" if self.delay_reason and phase in QUEUED else ""
            raise kind(f"{what} within {self.timeouts.within(phase)} s{reason}")

    def _set_deadline(self) -> None:
        seconds = self.timeouts.within(self._phase)
        if seconds is None:
            self.deadline = math.inf
        elif self._phase in QUEUED:
            self.deadline = self._since + seconds - self._spent[self._phase]
        else:
            self.deadline = anyio.current_time() + seconds
        self._deadlines.reschedule(self.deadline)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure()

    def _give_back_window(self) -> None:
        if self.unread and self.handler is not None:
            unread, self.unread = self.unread, 0
            self.handler.consumed(self, unread)

    # The pool's and the connection's side

    def enter(self, phase: Phase) -> None:
        """Begin to wait for something else, or for the same again: the timeout restarts.

        Not while queued: a request can leave the queue and return any number of times.
        """
        if self._phase in QUEUED or phase in QUEUED:
            if phase is self._phase:
                return
            now = anyio.current_time()
            if self._phase in QUEUED:
                self._spent[self._phase] += now - self._since
                self._timed_out_in = None  # what it waited for came at the last moment
            self._since = now
        self._phase = phase
        if self._changed is not None:
            self._set_deadline()

    def deadline_passed(self) -> None:
        """See `HasDeadline`: the wait timed out."""
        if self._changed is not None and not self._changed.is_set():
            self._timed_out_in = self._phase  # it may have changed when the caller gets its turn
            self._changed.set()

    def response_started(self, status: int, headers: RawHeaders, stream_id: int) -> None:
        """The status and headers of the final response have come."""
        self.status, self.response_headers, self.stream_id = status, headers, stream_id
        self._wake()

    def data_received(self, data: bytes) -> None:
        """Content has come; `unread` counts its share of the window already."""
        if data:
            self._chunks.append(data)
            self._wake()
        else:
            self._give_back_window()

    def finish(self) -> None:
        """The response is complete."""
        self._end()

    def fail(self, kind: type[httpx.TransportError], message: str) -> None:
        """End with an error."""
        if not self.complete:
            self._failure = lambda: kind(message)
            self._end()

    def body_failed(self, error: Exception) -> None:
        """The request's body has raised `error`, which the caller gets as it is."""
        if not self.complete and self._failure is None:
            self._failure = lambda: error
            self._wake()

    def fall_back_to_http1(self, why: str) -> None:
        """The server has not processed it, and requires HTTP/1.1."""
        if self.status or not self.body.replayable:
            self.fail(httpx.RemoteProtocolError, why)
        elif not self.complete:
            self.needs_http1 = True
            self._end()

    def _end(self) -> None:
        self.complete = True
        self.body.stop()
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()


@dataclass(slots=True)
class Attempts:
    """The attempts to send a request that no server has processed."""

    replays: int = 0
    """How often it was sent again."""
    early_goaways: int = 0
    """How many connections that were opened for it closed before they could be used."""
    lost_connections: int = 0
    """How many connections closed under it."""
    dedicated: bool = False
    """Whether this is the last attempt, on a connection of its own."""
    refused_by: object = None
    """The connection that gave it back last."""
