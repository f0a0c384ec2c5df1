"""An HTTP/2 connection pool for httpx, usable by itself.

    async with httpx.AsyncClient(transport=MultiplexedTransport(max_connections=50)) as client:
        response = await client.post("https://...", json=...)

It runs on trio and asyncio. Up to `streams_per_connection` requests share a connection. Cancelling one resets
its stream and disturbs no other; one that the server has not processed is sent again. Plain http and origins
without HTTP/2 use HTTP/1.1.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discordianai.transport.multiplexed_transport import MultiplexedTransport
    from discordianai.transport.options import PoolOptions
    from discordianai.transport.pool_events import (
        ConnectionClosed,
        ConnectionOpened,
        ConnectionStatistics,
        FellBackToHttp1,
        GoawayReceived,
        Origin,
        PingTimedOut,
        PoolEvent,
        Replayed,
        Statistics,
    )
    from discordianai.transport.proxy_rules import Proxies, Proxy, ProxyError

__all__ = [
    "ConnectionClosed",
    "ConnectionOpened",
    "ConnectionStatistics",
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


_MODULES = {
    "MultiplexedTransport": "multiplexed_transport",
    "PoolOptions": "options",
    "Proxies": "proxy_rules",
    "Proxy": "proxy_rules",
    "ProxyError": "proxy_rules",
}
"""Where a name stands that is not in `pool_events`."""


def __getattr__(name: str) -> object:
    """Import the module of a name when that is first used: the options are to be had without httpx."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'pool_events')}"), name)
