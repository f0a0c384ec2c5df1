"""One request and what comes back for it: the owner waits here, the pool and a connection move it on.

Only the owner's methods wait; all others are plain calls, so that a cancelled owner leaves nothing half done.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import anyio
import httpx

from discordianai.transport.records import Origin
from discordianai.transport.timekeeper import Timekeeper

RawHeaders = list[tuple[bytes, bytes]]


class Phase(Enum):
    """What an exchange is waiting for, each with the exception that ends too long a wait."""

    POOL = httpx.PoolTimeout
    CONNECT = httpx.ConnectTimeout
    WRITE = httpx.WriteTimeout
    READ = httpx.ReadTimeout


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each wait of one request; None waits as long as it takes."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None

    @classmethod
    def of(cls, extensions: Mapping[str, object]) -> "Timeouts":
        """Those that httpx sends along with a request."""
        given = extensions.get("timeout")
        return cls(**given) if isinstance(given, dict) else cls()

    def within(self, phase: Phase) -> float | None:
        """Seconds for one wait in `phase`."""
        match phase:
            case Phase.POOL:
                return self.pool
            case Phase.CONNECT:
                return self.connect
            case Phase.WRITE:
                return self.write
            case Phase.READ:
                return self.read


class HttpOneOnly(Exception):
    """The origin wants HTTP/1.1: the request was not processed, and is to be sent that way."""


class Holder(Protocol):
    """Where an exchange is at the moment: in the line of a pool, or on a connection."""

    def abandon(self, exchange: "Exchange") -> None:
        """The owner has left; nobody waits for the answer any more."""

    def consumed(self, exchange: "Exchange", size: int) -> None:
        """The owner has read, or given up, `size` bytes of the flow-control window."""


class Exchange:
    """`headers` are those of HTTP/2, pseudo-headers first; `body` is whole, so that it can be sent again."""

    def __init__(
        self, origin: Origin, headers: RawHeaders, body: bytes, timeouts: Timeouts, timekeeper: Timekeeper
    ) -> None:
        self.origin = origin
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.holder: Holder | None = None
        self.stream_id = 0
        self.replays = 0
        self.refused_by: object = None
        """The connection that refused it last."""
        self.status = 0
        self.response_headers: RawHeaders = []
        self.trailers: RawHeaders = []
        self.complete = False
        self.unread = 0
        """Bytes of the flow-control window that the owner has not given back."""
        self.direct = False
        """Whether its data comes past h2; then `credit` counts what was given back and not announced yet."""
        self.credit = 0
        self.deadline = math.inf
        self._phase = Phase.POOL
        self._pieces: list[bytes] = []
        self._failure: tuple[type[httpx.TransportError | HttpOneOnly], str] | None = None
        self._news: anyio.Event | None = None
        self._overdue = False
        self._timekeeper = timekeeper
        timekeeper.watched.add(self)

    # The owner's side

    async def response(self) -> None:
        """Wait for `status` and `response_headers`.

        Raises `httpx.TransportError`, or `HttpOneOnly`.
        """
        while not self.status:
            self._raise_failure()
            await self._wait()

    async def next_piece(self) -> bytes:
        """All that has come since the last call; waits for more if nothing has; empty at the end.

        Raises `httpx.TransportError` once what came before the failure is read.
        """
        while not self._pieces:
            self._raise_failure()
            if self.complete:
                return b""
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._give_back_window()
        return data

    def abandon(self) -> None:
        """Leave: the server is told to stop, and what came unread is given up. Safe to repeat."""
        self._timekeeper.watched.discard(self)
        holder = self.holder
        if holder is None:
            return
        self._pieces.clear()
        self._give_back_window()
        self.holder = None
        if not self.complete:
            holder.abandon(self)

    async def _wait(self) -> None:
        """Wait for news within the timeout of the phase, which may change meanwhile."""
        self._news = anyio.Event()
        self._set_deadline()
        await self._news.wait()
        self._news = None
        self.deadline = math.inf
        if self._overdue:
            self._overdue = False
            raise self._phase.value(f"nothing within {self.timeouts.within(self._phase)} s")

    def _set_deadline(self) -> None:
        seconds = self.timeouts.within(self._phase)
        self.deadline = math.inf if seconds is None else anyio.current_time() + seconds
        self._timekeeper.look(self.deadline)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            kind, message = self._failure
            raise kind(message)

    def _give_back_window(self) -> None:
        if self.unread and self.holder is not None:
            unread, self.unread = self.unread, 0
            self.holder.consumed(self, unread)

    # The pool's and the connection's side

    def enter(self, phase: Phase) -> None:
        """Wait for something else from now on, or for the same anew: the timeout begins again."""
        self._phase = phase
        if self._news is not None:
            self._set_deadline()

    def overdue(self) -> None:
        """See `Watched`: what was waited for did not come in time."""
        if self._news is not None and not self._news.is_set():
            self._overdue = True
            self._news.set()

    def started(self, status: int, headers: RawHeaders) -> None:
        """The final status and headers have come."""
        self.status, self.response_headers = status, headers
        self._wake()

    def received(self, data: bytes, flow_controlled: int) -> None:
        """A piece of the body has come; it took `flow_controlled` bytes of the window, padding included."""
        self.unread += flow_controlled
        if data:
            self._pieces.append(data)
            self._wake()
        else:
            self._give_back_window()

    def ended(self) -> None:
        """The answer is whole."""
        self.complete = True
        self._wake()

    def failed(self, kind: type[httpx.TransportError | HttpOneOnly], message: str) -> None:
        """There will be no more."""
        if not self.complete:
            self._failure = (kind, message)
            self.complete = True
            self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
