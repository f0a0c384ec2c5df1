"""What a pool tells: the origins that it knows, its statistics and its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple


class Origin(NamedTuple):
    """An https origin; `server_name` is its name in TLS, if that differs from `host`."""

    host: str
    port: int
    server_name: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """One open HTTP/2 connection at one moment; it carries `streams` requests, and can carry `capacity`.

    `age` is in seconds; `last_ping` is how many seconds ago a PING of ours was last written, None before the
    first: a connection that receives data needs none.
    """

    origin: str
    protocol: str
    streams: int
    capacity: int
    age: float
    last_ping: float | None = None
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a pool at one moment. Totals count since it was opened.

    The metadata of each field is the name and the help text of its metric, for exporters. `protocols` maps
    each `host:port` that was contacted to "HTTP/2" or "HTTP/1.1"; `connections` has those over HTTP/2.
    """

    max_connections: Annotated[int, ("pool_max_connections", "Connections allowed")]
    open_connections: Annotated[int, ("pool_open_connections", "Open connections")] = 0
    opening_connections: Annotated[int, ("pool_opening_connections", "Connections being opened")] = 0
    idle_connections: Annotated[int, ("pool_idle_connections", "Open connections with no request")] = 0
    streams_in_use: Annotated[int, ("pool_streams", "Requests in flight over HTTP/2")] = 0
    http1_requests: Annotated[int, ("pool_http1_requests", "Requests in flight over HTTP/1.1")] = 0
    requests_waiting: Annotated[int, ("pool_requests_waiting", "Requests waiting for a connection")] = 0
    connections_opened: Annotated[int, ("pool_connections_opened_total", "Connections opened")] = 0
    connections_lost: Annotated[
        int, ("pool_connections_lost_total", "Connections ended by the other side")
    ] = 0
    replays: Annotated[
        int, ("pool_replays_total", "Requests sent again because the server had not begun them")
    ] = 0
    protocols: Mapping[str, str] = field(default_factory=dict)
    connections: tuple[ConnectionStatistics, ...] = ()

    @property
    def requests_in_flight(self) -> int:
        """Requests on a connection, over either protocol."""
        return self.streams_in_use + self.http1_requests

    @property
    def utilisation(
        self,
    ) -> Annotated[float, ("pool_utilisation_ratio", "Requests in flight per allowed connection")]:
        """Requests in flight per allowed connection; above 1 if many share connections."""
        return self.requests_in_flight / self.max_connections


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A connection is ready for up to `max_streams` requests at once."""

    origin: Origin
    max_streams: int


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A connection has closed; `lost` unless this side closed it on purpose."""

    origin: Origin
    why: str
    lost: bool


@dataclass(frozen=True, slots=True)
class GoawayReceived:
    """The server accepts no new streams on a connection; `error_code` is 0 for a graceful shutdown."""

    origin: Origin
    last_stream_id: int
    error_code: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A request that the server has not processed is sent again."""

    origin: Origin
    why: str


@dataclass(frozen=True, slots=True)
class PingTimedOut:
    """The server has not answered a PING in time; the connection is closed."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class FellBackToHttp1:
    """The server does not speak HTTP/2; its requests use HTTP/1.1 for the next ten minutes."""

    origin: Origin


PoolEvent = ConnectionOpened | ConnectionClosed | GoawayReceived | Replayed | PingTimedOut | FellBackToHttp1
EventListener = Callable[[PoolEvent], None]
