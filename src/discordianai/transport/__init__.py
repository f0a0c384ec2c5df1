"""An HTTP/2 connection pool under httpx, of use by itself.

    async with httpx.AsyncClient(transport=MultiplexedTransport(max_connections=50)) as client:
        response = await client.post("https://...", json=...)

It runs on trio and on asyncio. Up to `streams_per_connection` requests share a connection. A cancelled one
resets its stream and disturbs no other, and one that a server has not processed is sent again. An origin
without HTTP/2, and plain http, are spoken to in HTTP/1.1.
"""

from discordianai.transport.multiplexed_transport import MultiplexedTransport
from discordianai.transport.pool_events import (
    ConnectionClosed,
    ConnectionOpened,
    FellBackToHttp1,
    GoawayReceived,
    Origin,
    PingTimedOut,
    PoolEvent,
    PoolOptions,
    Replayed,
    Statistics,
)
from discordianai.transport.proxy_rules import Proxies, Proxy, ProxyError

__all__ = [
    "ConnectionClosed",
    "ConnectionOpened",
    "FellBackToHttp1",
    "GoawayReceived",
    "MultiplexedTransport",
    "Origin",
    "PingTimedOut",
    "PoolEvent",
    "PoolOptions",
    "Proxies",
    "Proxy",
    "ProxyError",
    "Replayed",
    "Statistics",
]
