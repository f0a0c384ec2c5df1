"""An HTTP/2 connection pool under httpx, of use by itself.

    async with httpx.AsyncClient(transport=MultiplexedTransport(max_connections=50)) as client:
        response = await client.post("https://...", json=...)

It runs on trio and on asyncio. Up to `streams_per_connection` requests share a connection. A cancelled one
resets its stream and disturbs no other, and one that a server has not processed is sent again. An origin
without HTTP/2, and plain http, are spoken to in HTTP/1.1.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from discordianai.transport.pool_events import (
    ConnectionClosed,
    ConnectionOpened,
    GoawayReceived,
    Origin,
    PingLost,
    PoolEvent,
    PoolOptions,
    Replayed,
    SpeaksHttp1,
    Statistics,
)

if TYPE_CHECKING:
    from discordianai.transport.multiplexed_transport import MultiplexedTransport
    from discordianai.transport.proxy_rules import Proxies, Proxy, ProxyError

__all__ = [
    "ConnectionClosed",
    "ConnectionOpened",
    "GoawayReceived",
    "MultiplexedTransport",
    "Origin",
    "PingLost",
    "PoolEvent",
    "PoolOptions",
    "Proxies",
    "Proxy",
    "ProxyError",
    "Replayed",
    "SpeaksHttp1",
    "Statistics",
]


_WITH_HTTPX = {
    "MultiplexedTransport": "multiplexed_transport",
    "Proxies": "proxy_rules",
    "Proxy": "proxy_rules",
    "ProxyError": "proxy_rules",
}


def __getattr__(name: str) -> object:
    """Import what needs httpx when it is first used: the options and records are to be had without."""
    if name not in _WITH_HTTPX:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_HTTPX[name]}"), name)
