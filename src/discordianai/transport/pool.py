"""The connections to all origins, within the limits that they share. Nothing here waits."""

from collections.abc import Callable

import httpx

from discordianai.transport.connection import Connection, ConnectionState
from discordianai.transport.dialing import Dial
from discordianai.transport.exchange import DeadlineWatcher, Exchange
from discordianai.transport.options import PoolOptions
from discordianai.transport.origin_pool import OriginPool
from discordianai.transport.pool_events import (
    ConnectionClosed,
    ConnectionOpened,
    EventListener,
    Origin,
    PoolEvent,
    Replayed,
    Statistics,
)


class ConnectionPool:
    """`start` runs a connection in a task; `listener` is called with every event."""

    def __init__(
        self,
        options: PoolOptions,
        dial: Dial,
        start: Callable[[Connection, float], None],
        listener: EventListener,
        deadlines: DeadlineWatcher,
    ) -> None:
        self.options = options
        self._dial = dial
        self._start = start
        self._listener = listener
        self._deadlines = deadlines
        self._origins: dict[Origin, OriginPool] = {}
        self._count = 0
        self._closed = False
        self._opened = self._lost = self._replays = 0

    @property
    def connections(self) -> list[Connection]:
        """All of them, also those that are being opened or closed."""
        return [connection for pool in self._origins.values() for connection in pool.connections]

    def statistics(self) -> Statistics:
        """The current figures, of HTTP/2 alone."""
        connections = self.connections
        spoken_to = [str(origin) for origin, pool in self._origins.items() if pool.capacity is not None]
        opened = [c for c in connections if c.state in {ConnectionState.OPEN, ConnectionState.DRAINING}]
        return Statistics(
            self.options.max_connections,
            open_connections=len(opened),
            opening_connections=sum(c.state is ConnectionState.OPENING for c in connections),
            idle_connections=sum(c.is_idle for c in connections),
            streams_in_use=sum(c.load for c in connections),
            requests_waiting=sum(pool.waiting for pool in self._origins.values()),
            connections_opened=self._opened,
            connections_lost=self._lost,
            replays=self._replays,
            protocols=dict.fromkeys(spoken_to, "HTTP/2"),
            connections=tuple(c.statistics() for c in opened),
        )

    def reconfigure(self, options: PoolOptions) -> None:
        """Apply these limits; open connections keep the options that they were opened with."""
        self.options = options
        self.connection_idle()
        self.connection_closed()

    def submit(self, exchange: Exchange) -> None:
        """Send the request on a connection, or queue it."""
        if self._closed:
            exchange.fail(httpx.ConnectError, "the transport was closed")
            return
        pool = self._origins.get(exchange.origin)
        if pool is None:
            pool = self._origins[exchange.origin] = OriginPool(exchange.origin, self, self._deadlines)
        pool.submit(exchange)

    def close(self, why: str) -> None:
        """Fail all waiting requests and close all connections."""
        self._closed = True
        for pool in self._origins.values():
            pool.close(why)

    # For the pools of the origins; see `origin_pool.PoolLimits`

    def may_connect(self, origin: Origin) -> bool:
        """See `origin_pool.PoolLimits`."""
        if self._count < self.options.max_connections:
            return True
        # Close another origin's idle connection; its place is free once its socket is closed.
        idle = [c for c in self.connections if c.is_idle and c.origin != origin]
        if idle and not any(c.state is ConnectionState.CLOSED for c in self.connections):
            min(idle, key=lambda connection: connection.idle_since).close("its place is needed")
        return False

    def connect(self, origin_pool: OriginPool, timeout: float) -> Connection:
        """See `origin_pool.PoolLimits`."""
        connection = Connection(origin_pool.origin, self._dial, self.options, origin_pool)
        self._count += 1
        self._start(connection, timeout)
        return connection

    def connection_idle(self) -> None:
        """See `origin_pool.PoolLimits`: close those that were idle longest, beyond `max_keepalive`."""
        idle = sorted(
            (c for c in self.connections if c.is_idle), key=lambda connection: connection.idle_since
        )
        for connection in idle[: max(len(idle) - self.options.max_keepalive, 0)]:
            connection.close("more idle connections than max_keepalive")

    def connection_closed(self) -> None:
        """See `origin_pool.PoolLimits`."""
        self._count = len(self.connections)
        for pool in list(self._origins.values()):
            if pool.waiting:
                pool.assign()

    def report(self, event: PoolEvent) -> None:
        """See `origin_pool.PoolLimits`."""
        self._opened += isinstance(event, ConnectionOpened)
        self._replays += isinstance(event, Replayed)
        if isinstance(event, ConnectionClosed):
            self._lost += event.lost
        self._listener(event)
