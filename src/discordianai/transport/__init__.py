"""An HTTP/2 connection pool for httpx, usable by itself.

    async with httpx.AsyncClient(transport=MultiplexedTransport(max_connections=50)) as client:
        response = await client.post("https://...", json=...)

It runs on trio and asyncio. Up to `streams_per_connection` requests share a connection. Cancelling one resets
its stream and disturbs no other; one that the server has not processed is sent again. Plain http and origins
without HTTP/2 use HTTP/1.1.
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
