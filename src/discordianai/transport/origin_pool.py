"""The connections to one origin, and the requests that wait for a place on them. Nothing here waits."""

from collections import deque
from typing import Protocol

import httpx

from discordianai.transport.connect_backoff import Openings
from discordianai.transport.connection import Connection, ConnectionState
from discordianai.transport.containment import contained
from discordianai.transport.deadlines import Timekeeper
from discordianai.transport.exchange import Exchange, Phase
from discordianai.transport.pool_events import Origin, PoolEvent, PoolOptions, Replayed, SpeaksHttp1
from discordianai.transport.replays import LOST_CONNECTIONS, ReplayPause, Replays, pause_before
from discordianai.transport.request_queue import Line

MOST_TURNED_AWAY = 4
"""How often a connection that is opened for a request may end before it is of use to it."""

LONGEST_CONNECT = 60.0
"""Seconds for an attempt to connect that no request bounds."""


class PoolLimits(Protocol):
    """The pool of all origins. No method waits."""

    @property
    def options(self) -> PoolOptions:
        """What holds now."""

    def has_place(self, origin: Origin) -> bool:
        """Whether one more connection may be opened; if not, idle ones of other origins give way."""

    def open(self, origin_pool: "OriginPool", timeout: float) -> Connection:
        """Start to open a connection."""

    def idle(self) -> None:
        """A connection has nothing to do."""

    def gone(self) -> None:
        """A connection has ended: there is a place for another, to any origin."""

    def tell(self, event: PoolEvent) -> None:
        """For whoever listens."""


class OriginPool:
    """Owns connections (see `connection.Owner`), holds the exchanges in its line (see `exchange.Holder`)."""

    def __init__(self, origin: Origin, house: PoolLimits, timekeeper: Timekeeper) -> None:
        self.origin = origin
        self.connections: list[Connection] = []
        self.capacity: int | None = None
        """How many requests a connection takes, by what the last one said; None before any has."""
        self._house = house
        self._timekeeper = timekeeper
        self._line = Line()
        self._alone: deque[Exchange] = deque()
        """Those that wait for a connection of their own."""
        self._reserved: dict[Connection, Exchange] = {}
        self._pauses: set[ReplayPause] = set()
        self._openings = Openings(timekeeper, self.serve)
        self._replays = Replays()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Requests without a place."""
        return len(self._line) + len(self._alone) + len(self._reserved) + len(self._pauses)

    # Requests

    @contained
    def submit(self, exchange: Exchange) -> None:
        """Put the request on a connection, or in line."""
        if not self._line and (connection := self._choose(exchange)):
            connection.submit(exchange)
        else:
            self._join(exchange)

    @contained
    def abandon(self, exchange: Exchange) -> None:
        """See `exchange.Holder`."""
        self._remove(exchange)
        self._line.expect(self._expected())

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `exchange.Holder`; in the line there is nothing to read."""

    def close(self, why: str) -> None:
        """Fail all that waits and end all connections."""
        self._closed = True
        self._openings.close()
        self.fail_waiting(why)
        for connection in list(self.connections):
            connection.close(why)

    def fail_waiting(self, why: str) -> None:
        """Fail all that have no place."""
        for pause in self._pauses:
            pause.end()
        everyone = [
            *(pause.exchange for pause in self._pauses),
            *self._alone,
            *self._reserved.values(),
            *self._line.first(len(self._line)),
        ]
        self._pauses.clear()
        self._alone.clear()
        self._reserved.clear()
        self._line = Line()
        for exchange in everyone:
            exchange.failed(httpx.ConnectError, why)

    # Placing them

    @contained
    def serve(self) -> None:
        """Place as many as there is room for, and open connections for the others."""
        while self._line and (connection := self._choose(self._line.head)):
            connection.submit(self._line.head)
            self._line.next()
        while self._alone and self._may_open():
            self._reserve(self._alone[0])
            self._alone.popleft()
        while len(self._line) > self._expected() and self._may_open():
            self._open(self._line.last)
        self._line.expect(self._expected())

    def _join(self, exchange: Exchange, *, front: bool = False) -> None:
        exchange.holder = self
        self._line.join(exchange, front=front)
        self.serve()

    def _remove(self, exchange: Exchange) -> None:
        """Take it from wherever it waits."""
        if exchange in self._alone:
            self._alone.remove(exchange)
            return
        for connection, other in self._reserved.items():
            if other is exchange:
                del self._reserved[connection]
                return
        self._line.remove(exchange)

    def _choose(self, exchange: Exchange) -> Connection | None:
        """The least loaded connection with room; one that has just refused this request only at need."""
        best: Connection | None = None
        refuser: Connection | None = None
        for connection in self.connections:
            if connection.free <= 0:
                continue
            if connection is exchange.tries.refused_by:
                refuser = connection
            elif best is None or connection.load < best.load:
                best = connection
        if best is None and refuser is not None and not self._may_open():
            return refuser
        return best

    def _opening(self) -> int:
        return sum(connection.state is ConnectionState.OPENING for connection in self.connections)

    def _expected(self) -> int:
        """How many of the line the connections that are being opened will take."""
        capacity = self.capacity or self._house.options.streams_per_connection
        return (self._opening() - len(self._reserved)) * capacity

    def _may_open(self) -> bool:
        if self._closed:
            return False
        return self._openings.allowed(self._opening()) and self._house.has_place(self.origin)

    def _open(self, exchange: Exchange) -> Connection:
        timeout = exchange.timeouts.connect
        connection = self._house.open(self, LONGEST_CONNECT if timeout is None else timeout)
        connection.attempt = self._openings.attempt
        self.connections.append(connection)
        return connection

    def _reserve(self, exchange: Exchange) -> None:
        connection = self._open(exchange)
        self._reserved[connection] = exchange
        exchange.enter(Phase.CONNECT)

    # What connections tell

    @contained
    def opened(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        if not connection.capacity:
            self._openings.failed(connection.attempt)
            for exchange in self._meant_for(connection):
                exchange.trouble = "the server allows no streams"
        if reserved := self._reserved.get(connection):
            if connection.capacity:
                connection.submit_alone(reserved)
            else:
                reserved.failed(httpx.ConnectError, "the server allows no streams")
            del self._reserved[connection]
        self.room(connection)

    @contained
    def room(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self.capacity = max(connection.capacity, 1)
        if self._line or self._alone:
            self.serve()
        if connection.is_idle:
            self._house.idle()

    @contained
    def progress(self) -> None:
        """See `connection.Owner`."""
        self._openings.succeeded()
        self._replays.answered()

    @contained
    def give_back(self, exchange: Exchange, why: str, connection: Connection, *, sent: bool) -> None:
        """See `connection.Owner`."""
        tries = exchange.tries
        tries.refused_by = connection
        if exchange.status or not exchange.body.replayable or self._closed:
            # What its owner has begun to read cannot begin again, nor what was read from the owner.
            exchange.failed(httpx.RemoteProtocolError, why)
        elif not sent:
            self._join(exchange, front=True)
        elif self._replays.allow(tries):
            tries.lost_connections += connection.state is not ConnectionState.OPEN
            self._replay(exchange, why)
        else:
            exchange.failed(httpx.RemoteProtocolError, f"{why}; it was tried {tries.replays + 1} times")

    def _replay(self, exchange: Exchange, why: str) -> None:
        self._house.tell(Replayed(exchange.origin, why))
        if pause := pause_before(exchange.tries):
            self._pauses.add(ReplayPause(exchange, pause, self._timekeeper, self._pause_over))
        else:
            self._again(exchange)

    def _pause_over(self, pause: ReplayPause, due: bool) -> None:
        self._pauses.discard(pause)
        if due:
            self._again(pause.exchange)

    @contained
    def _again(self, exchange: Exchange) -> None:
        if exchange.tries.lost_connections < LOST_CONNECTIONS:
            self._join(exchange, front=True)
            return
        exchange.tries.alone = True
        exchange.holder = self
        exchange.enter(Phase.POOL)
        self._alone.append(exchange)
        self.serve()

    @contained
    def not_opened(self, connection: Connection, why: str) -> None:
        """See `connection.Owner`: fails those for whom it was being opened."""
        self._openings.failed(connection.attempt)
        for exchange in self._meant_for(connection):
            self._remove(exchange)
            exchange.failed(httpx.ConnectError, why)

    @contained
    def turned_away(self, connection: Connection, why: str) -> None:
        """See `connection.Owner`: the next attempt is made when this connection has ended."""
        self._openings.failed(connection.attempt)
        for exchange in self._meant_for(connection):
            exchange.trouble = why
            exchange.tries.turned_away += 1
            if exchange.tries.turned_away > MOST_TURNED_AWAY or exchange.tries.alone:
                self._remove(exchange)
                exchange.failed(httpx.ConnectError, why)

    @contained
    def speaks_http1(self, why: str) -> None:
        """See `connection.Owner`."""
        self._house.tell(SpeaksHttp1(self.origin))
        line, self._line = self._line, Line()
        for exchange in (*line.first(len(line)), *self._alone, *self._reserved.values()):
            exchange.wants_http1(why)
        self._alone.clear()
        self._reserved.clear()

    @contained
    def ended(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self.connections.remove(connection)
        if exchange := self._reserved.pop(connection, None):
            exchange.failed(httpx.ConnectError, "the connection ended while it was being opened")
        if connection.was_useless:
            self._openings.failed(connection.attempt)
        self._house.gone()

    def tell(self, event: PoolEvent) -> None:
        """See `connection.Owner`."""
        self._house.tell(event)

    def _meant_for(self, connection: Connection) -> list[Exchange]:
        """Those for whom a connection was being opened."""
        if exchange := self._reserved.get(connection):
            return [exchange]
        return self._line.first(self.capacity or self._house.options.streams_per_connection)
