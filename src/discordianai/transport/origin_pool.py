"""The connections to one origin, and the requests that wait for them. Nothing here waits."""

import logging
from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol

import httpx

from discordianai.transport.connection import Connection, ConnectionState
from discordianai.transport.dialing import ConnectBackoff
from discordianai.transport.exchange import DeadlineWatcher, Exchange, Phase
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import FellBackToHttp1, Origin, PoolEvent, Replayed
from discordianai.transport.request_queue import (
    LOST_CONNECTIONS,
    ReplayBudget,
    ReplayDelay,
    RequestQueue,
    delay_before,
)

log = logging.getLogger(__name__)

MAX_EARLY_GOAWAYS = 4
"""How many connections that are opened for a request may close before they carry it."""

MAX_CONNECT_TIME = 60.0
"""Seconds to connect for a request without a connect timeout."""

BUG = "a bug in the connection pool"

P = ParamSpec("P")


def fails_requests(
    method: Callable[Concatenate["OriginPool", P], None],
) -> Callable[Concatenate["OriginPool", P], None]:
    """If `method` meets a bug, fail the waiting requests and those among its arguments.

    Its callers (a connection's task, a deadline, another request) cannot know whom the bug concerns, and
    nobody is to wait until a timeout.
    """

    @wraps(method)
    def call(self: "OriginPool", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:
            log.exception(BUG)
            for argument in args:
                if isinstance(argument, Exchange):
                    argument.fail(httpx.ConnectError, BUG)
            self.fail_waiting(BUG)

    return call


class PoolLimits(Protocol):
    """The pool of all origins. No method waits."""

    @property
    def options(self) -> PoolOptions:
        """The current ones."""

    def may_connect(self, origin: Origin) -> bool:
        """Whether one more connection may be opened; if not, an idle one of another origin is closed."""

    def connect(self, origin_pool: "OriginPool", timeout: float) -> Connection:
        """Start to open a connection."""

    def connection_idle(self) -> None:
        """A connection has become idle."""

    def connection_closed(self) -> None:
        """A connection has closed; another may be opened, to any origin."""

    def report(self, event: PoolEvent) -> None:
        """Pass an event to the listener."""


class OriginPool:
    """A `connection.ConnectionOwner`, and the `exchange.ExchangeHandler` of the requests that it queues."""

    def __init__(self, origin: Origin, pool: PoolLimits, deadlines: DeadlineWatcher) -> None:
        self.origin = origin
        self.connections: list[Connection] = []
        self.capacity: int | None = None
        """How many requests a connection carries, according to the latest; None before the first."""
        self._pool = pool
        self._deadlines = deadlines
        self._queue = RequestQueue()
        self._awaiting_dedicated: deque[Exchange] = deque()
        """Requests that need a connection of their own."""
        self._reserved: dict[Connection, Exchange] = {}
        """Those connections, while they are being opened."""
        self._delayed: set[ReplayDelay] = set()
        self._backoff = ConnectBackoff(deadlines, self.assign)
        self._replay_budget = ReplayBudget()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Requests that are on no connection."""
        return len(self._queue) + len(self._awaiting_dedicated) + len(self._reserved) + len(self._delayed)

    # Requests

    @fails_requests
    def submit(self, exchange: Exchange) -> None:
        """Send the request on a connection, or queue it."""
        if not self._queue and (connection := self._pick_connection(exchange)):
            connection.submit(exchange)
        else:
            self._enqueue(exchange)

    @fails_requests
    def cancel(self, exchange: Exchange) -> None:
        """See `exchange.ExchangeHandler`."""
        self._dequeue(exchange)
        self._queue.set_connecting(self._expected_slots())

    def consumed(self, exchange: Exchange, size: int) -> None:
        """See `exchange.ExchangeHandler`; a queued request has nothing to read."""

    def close(self, why: str) -> None:
        """Fail all waiting requests and close all connections."""
        self._closed = True
        self._backoff.close()
        self.fail_waiting(why)
        for connection in list(self.connections):
            connection.close(why)

    def fail_waiting(self, why: str) -> None:
        """Fail all requests that are on no connection."""
        for delay in self._delayed:
            delay.close()
        waiting = [
            *(delay.exchange for delay in self._delayed),
            *self._awaiting_dedicated,
            *self._reserved.values(),
            *self._queue.first(len(self._queue)),
        ]
        self._delayed.clear()
        self._awaiting_dedicated.clear()
        self._reserved.clear()
        self._queue = RequestQueue()
        for exchange in waiting:
            exchange.fail(httpx.ConnectError, why)

    # Assigning them to connections

    @fails_requests
    def assign(self) -> None:
        """Send as many requests as there are free slots, and open connections for the others."""
        while self._queue and (connection := self._pick_connection(self._queue.head)):
            connection.submit(self._queue.head)
            self._queue.pop()
        while self._awaiting_dedicated and self._may_connect():
            self._reserve(self._awaiting_dedicated[0])
            self._awaiting_dedicated.popleft()
        while len(self._queue) > self._expected_slots() and self._may_connect():
            self._connect(self._queue.last)
        self._queue.set_connecting(self._expected_slots())

    def _enqueue(self, exchange: Exchange, *, front: bool = False) -> None:
        exchange.handler = self
        self._queue.push(exchange, front=front)
        self.assign()

    def _dequeue(self, exchange: Exchange) -> None:
        """Take it out of wherever it waits."""
        if exchange in self._awaiting_dedicated:
            self._awaiting_dedicated.remove(exchange)
            return
        for connection, other in self._reserved.items():
            if other is exchange:
                del self._reserved[connection]
                return
        self._queue.remove(exchange)

    def _pick_connection(self, exchange: Exchange) -> Connection | None:
        """The least loaded one with a free slot; one that has just refused the request only if need be."""
        best: Connection | None = None
        refuser: Connection | None = None
        for connection in self.connections:
            if connection.free_slots <= 0:
                continue
            if connection is exchange.attempts.refused_by:
                refuser = connection
            elif best is None or connection.load < best.load:
                best = connection
        if best is None and refuser is not None and not self._may_connect():
            return refuser
        return best

    def _connecting(self) -> int:
        return sum(connection.state is ConnectionState.OPENING for connection in self.connections)

    def _expected_slots(self) -> int:
        """How many queued requests the connections that are being opened will carry."""
        capacity = self.capacity or self._pool.options.streams_per_connection
        return (self._connecting() - len(self._reserved)) * capacity

    def _may_connect(self) -> bool:
        if self._closed:
            return False
        return self._backoff.allowed(self._connecting()) and self._pool.may_connect(self.origin)

    def _connect(self, exchange: Exchange) -> Connection:
        timeout = exchange.timeouts.connect
        connection = self._pool.connect(self, MAX_CONNECT_TIME if timeout is None else timeout)
        connection.attempt = self._backoff.attempt
        self.connections.append(connection)
        return connection

    def _reserve(self, exchange: Exchange) -> None:
        connection = self._connect(exchange)
        self._reserved[connection] = exchange
        exchange.enter(Phase.CONNECT)

    # Events of connections

    @fails_requests
    def opened(self, connection: Connection) -> None:
        """See `connection.ConnectionOwner`."""
        if not connection.capacity:
            self._backoff.failed(connection.attempt)
            for exchange in self._waiting_for(connection):
                exchange.delay_reason = "the server allows no streams"
        if reserved := self._reserved.get(connection):
            if connection.capacity:
                connection.submit_dedicated(reserved)
            else:
                reserved.fail(httpx.ConnectError, "the server allows no streams")
            del self._reserved[connection]
        self.capacity_changed(connection)

    @fails_requests
    def capacity_changed(self, connection: Connection) -> None:
        """See `connection.ConnectionOwner`."""
        self.capacity = max(connection.capacity, 1)
        if self._queue or self._awaiting_dedicated:
            self.assign()
        if connection.is_idle:
            self._pool.connection_idle()

    @fails_requests
    def response_started(self) -> None:
        """See `connection.ConnectionOwner`."""
        self._backoff.succeeded()
        self._replay_budget.response_started()

    @fails_requests
    def unprocessed(self, exchange: Exchange, why: str, connection: Connection, *, sent: bool) -> None:
        """See `connection.ConnectionOwner`."""
        attempts = exchange.attempts
        attempts.refused_by = connection
        if exchange.status or not exchange.body.replayable or self._closed:
            # The caller has begun to read the response, or its body has been read.
            exchange.fail(httpx.RemoteProtocolError, why)
        elif not sent:
            self._enqueue(exchange, front=True)
        elif self._replay_budget.allow(attempts):
            attempts.lost_connections += connection.state is not ConnectionState.OPEN
            self._replay(exchange, why)
        else:
            exchange.fail(httpx.RemoteProtocolError, f"{why}; it was tried {attempts.replays + 1} times")

    def _replay(self, exchange: Exchange, why: str) -> None:
        self._pool.report(Replayed(exchange.origin, why))
        if delay := delay_before(exchange.attempts):
            self._delayed.add(ReplayDelay(exchange, delay, self._deadlines, self._delay_over))
        else:
            self._requeue(exchange)

    def _delay_over(self, delay: ReplayDelay, due: bool) -> None:
        self._delayed.discard(delay)
        if due:
            self._requeue(delay.exchange)

    @fails_requests
    def _requeue(self, exchange: Exchange) -> None:
        if exchange.attempts.lost_connections < LOST_CONNECTIONS:
            self._enqueue(exchange, front=True)
            return
        exchange.attempts.dedicated = True
        exchange.handler = self
        exchange.enter(Phase.POOL)
        self._awaiting_dedicated.append(exchange)
        self.assign()

    @fails_requests
    def connect_failed(self, connection: Connection, why: str) -> None:
        """See `connection.ConnectionOwner`: fail the requests that it was opened for."""
        self._backoff.failed(connection.attempt)
        for exchange in self._waiting_for(connection):
            self._dequeue(exchange)
            exchange.fail(httpx.ConnectError, why)

    @fails_requests
    def goaway_while_opening(self, connection: Connection, why: str) -> None:
        """See `connection.ConnectionOwner`: the next attempt is made once this connection has closed."""
        self._backoff.failed(connection.attempt)
        for exchange in self._waiting_for(connection):
            exchange.delay_reason = why
            exchange.attempts.early_goaways += 1
            if exchange.attempts.early_goaways > MAX_EARLY_GOAWAYS or exchange.attempts.dedicated:
                self._dequeue(exchange)
                exchange.fail(httpx.ConnectError, why)

    @fails_requests
    def fall_back_to_http1(self, why: str) -> None:
        """See `connection.ConnectionOwner`."""
        self._pool.report(FellBackToHttp1(self.origin))
        queue, self._queue = self._queue, RequestQueue()
        for exchange in (*queue.first(len(queue)), *self._awaiting_dedicated, *self._reserved.values()):
            exchange.fall_back_to_http1(why)
        self._awaiting_dedicated.clear()
        self._reserved.clear()

    @fails_requests
    def closed(self, connection: Connection) -> None:
        """See `connection.ConnectionOwner`."""
        self.connections.remove(connection)
        if exchange := self._reserved.pop(connection, None):
            exchange.fail(httpx.ConnectError, "the connection closed while it was being opened")
        if connection.needs_backoff:
            self._backoff.failed(connection.attempt)
        self._pool.connection_closed()

    def report(self, event: PoolEvent) -> None:
        """See `connection.ConnectionOwner`."""
        self._pool.report(event)

    def _waiting_for(self, connection: Connection) -> list[Exchange]:
        """The requests that a connection was being opened for."""
        if exchange := self._reserved.get(connection):
            return [exchange]
        return self._queue.first(self.capacity or self._pool.options.streams_per_connection)
