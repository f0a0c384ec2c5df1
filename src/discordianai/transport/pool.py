"""The connections to all origins, and the line of requests that wait for one. Nothing here waits."""

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import islice

import httpx

from discordianai.transport.connection import Connection, State
from discordianai.transport.dialing import Dial
from discordianai.transport.exchange import Exchange, HttpOneOnly, Phase
from discordianai.transport.records import (
    ConnectionClosed,
    EventListener,
    Origin,
    PoolEvent,
    PoolOptions,
    Replayed,
    SpeaksHttp1,
    Statistics,
)

MAX_REPLAYS = 10
"""How often one request may go out anew; a server that refuses more often refuses for good."""

LONGEST_CONNECT = 60.0
"""Seconds for an attempt to connect that no request bounds."""


class Pool:
    """`start` runs a connection in a task; `listener` hears what happens."""

    def __init__(
        self,
        options: PoolOptions,
        dial: Dial,
        start: Callable[[Connection, float], None],
        listener: EventListener,
    ) -> None:
        self._options = options
        self._dial = dial
        self._start = start
        self._listener = listener
        self._connections: dict[Origin, list[Connection]] = {}
        self._count = 0
        self._lines: defaultdict[Origin, deque[Exchange]] = defaultdict(deque)
        self._capacities: dict[Origin, int] = {}
        self._closed = False
        self._opened = self._lost = self._replays = 0

    @property
    def connections(self) -> list[Connection]:
        """All of them, those that are being opened or closed included."""
        return [connection for connections in self._connections.values() for connection in connections]

    def statistics(self) -> Statistics:
        """This moment, as far as HTTP/2 goes."""
        connections = self.connections
        return Statistics(
            self._options.max_connections,
            open_connections=sum(c.state in {State.OPEN, State.DRAINING} for c in connections),
            opening_connections=sum(c.state is State.OPENING for c in connections),
            idle_connections=sum(map(_is_idle, connections)),
            streams_in_use=sum(c.load for c in connections),
            requests_waiting=sum(map(len, self._lines.values())),
            connections_opened=self._opened,
            connections_lost=self._lost,
            replays=self._replays,
            protocols=dict.fromkeys(map(str, self._capacities), "HTTP/2"),
        )

    def adopt(self, options: PoolOptions) -> None:
        """Keep to these from now on; connections that are open keep to those they were opened with."""
        self._options = options
        self._trim()
        for origin in [origin for origin, line in self._lines.items() if line]:
            self._serve(origin)

    # Requests

    def submit(self, exchange: Exchange) -> None:
        """Put the request on a connection, or in the line of its origin."""
        line = self._lines[exchange.origin]
        line.append(exchange)
        self._wait_in_line(exchange, len(line))

    def abandon(self, exchange: Exchange) -> None:
        """See `Holder.abandon`: it leaves the line."""
        self._lines[exchange.origin].remove(exchange)

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `Holder.consumed`; in the line there is nothing to read."""

    def close(self, why: str) -> None:
        """Fail all that waits and end all connections."""
        self._closed = True
        for line in self._lines.values():
            while line:
                line.popleft().failed(httpx.ConnectError, why)
        for connection in self.connections:
            connection.close(why)

    # Placing them

    def _wait_in_line(self, exchange: Exchange, place: int) -> None:
        """Serve the line that the request has joined; what it waits for there depends on its place."""
        exchange.holder = self
        self._serve(exchange.origin)
        if exchange.holder is self:
            connecting = place <= self._expected(exchange.origin)
            exchange.enter(Phase.CONNECT if connecting else Phase.POOL)

    def _serve(self, origin: Origin) -> None:
        """Place as many of the line as there is room for, and open connections for the others."""
        line = self._lines[origin]
        while line and (connection := self._choose(line[0])):
            connection.submit(line.popleft())
        while len(line) > self._expected(origin) and self._may_open(origin):
            self._open(origin, line[-1])

    def _choose(self, exchange: Exchange) -> Connection | None:
        """The least loaded connection with room; one that has just refused this request only at need."""
        best: Connection | None = None
        refuser: Connection | None = None
        for connection in self._connections.get(exchange.origin, ()):
            if connection.free <= 0:
                continue
            if connection is exchange.refused_by:
                refuser = connection
            elif best is None or connection.load < best.load:
                best = connection
        if best is None and refuser is not None and self._count >= self._options.max_connections:
            return refuser
        return best

    def _expected(self, origin: Origin) -> int:
        """How many requests the connections that are being opened will take."""
        opening = sum(connection.state is State.OPENING for connection in self._connections.get(origin, ()))
        return opening * self._capacity(origin)

    def _capacity(self, origin: Origin) -> int:
        """How many requests a connection to `origin` will take, by what the last one said."""
        return self._capacities.get(origin, self._options.streams_per_connection)

    def _may_open(self, origin: Origin) -> bool:
        if self._closed:
            return False
        if self._count < self._options.max_connections:
            return True
        # Another origin's idle connection gives way; its place is free once its socket is closed.
        idle = [c for c in self.connections if _is_idle(c) and c.origin != origin]
        if idle:
            min(idle, key=lambda connection: connection.idle_since).close("its place is needed")
        return False

    def _open(self, origin: Origin, exchange: Exchange) -> None:
        connection = Connection(origin, self._dial, self._options, self)
        self._connections.setdefault(origin, []).append(connection)
        self._count += 1
        timeout = exchange.timeouts.connect
        self._start(connection, LONGEST_CONNECT if timeout is None else timeout)

    # What connections tell

    def opened(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._opened += 1
        self.room(connection)

    def room(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._capacities[connection.origin] = max(connection.capacity, 1)
        if self._lines.get(connection.origin):
            self._serve(connection.origin)
        if _is_idle(connection):
            self._trim()

    def give_back(self, exchange: Exchange, why: str, connection: Connection) -> None:
        """See `connection.Owner`."""
        exchange.replays += 1
        if exchange.status or exchange.replays > MAX_REPLAYS or self._closed:
            # What its owner has begun to read cannot begin again.
            exchange.failed(httpx.RemoteProtocolError, why)
            return
        self._replays += 1
        exchange.refused_by = connection
        self.tell(Replayed(exchange.origin, why))
        self._lines[exchange.origin].appendleft(exchange)
        self._wait_in_line(exchange, 1)

    def not_opened(self, connection: Connection, why: str) -> None:
        """See `connection.Owner`: fails those for whom it was being opened."""
        for exchange in self._first_in_line(connection):
            self._lines[connection.origin].remove(exchange)
            exchange.failed(httpx.ConnectError, why)

    def turned_away(self, connection: Connection, why: str) -> None:
        """See `connection.Owner`: the next attempt is made when this connection has ended."""
        for exchange in self._first_in_line(connection):
            exchange.replays += 1
            if exchange.replays > MAX_REPLAYS:
                self._lines[connection.origin].remove(exchange)
                exchange.failed(httpx.ConnectError, why)

    def speaks_http1(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self.tell(SpeaksHttp1(connection.origin))
        line = self._lines[connection.origin]
        while line:
            line.popleft().failed(HttpOneOnly, "the server speaks HTTP/1.1")

    def ended(self, connection: Connection) -> None:
        """See `connection.Owner`: there is a place for another connection, to any origin."""
        connections = self._connections[connection.origin]
        connections.remove(connection)
        self._count -= 1
        if not connections:
            del self._connections[connection.origin]
        for origin in [origin for origin, line in self._lines.items() if line]:
            self._serve(origin)

    def tell(self, event: PoolEvent) -> None:
        """See `connection.Owner`."""
        if isinstance(event, ConnectionClosed):
            self._lost += event.lost
        self._listener(event)

    def _first_in_line(self, connection: Connection) -> list[Exchange]:
        """Those for whom a connection was being opened."""
        return list(islice(self._lines[connection.origin], self._capacity(connection.origin)))

    def _trim(self) -> None:
        """Close the longest idle connections beyond those that may be kept."""
        idle = sorted(filter(_is_idle, self.connections), key=lambda connection: connection.idle_since)
        for connection in idle[: max(len(idle) - self._options.max_keepalive, 0)]:
            connection.close("more idle connections than max_keepalive")


def _is_idle(connection: Connection) -> bool:
    return connection.state is State.OPEN and not connection.load
