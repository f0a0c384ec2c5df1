"""Keeps the library's limit of 45 requests a second away from interaction endpoints.

Discord exempts them from the bot's global limit. With the stock client, of 200 commands in one moment 79 are
acknowledged too late and lost.
"""

import asyncio
from contextvars import ContextVar
from typing import Any

from aiohttp import ClientWebSocketResponse
from interactions.api.http.http_client import GlobalLock, HTTPClient
from interactions.api.http.route import Route

_exempt: ContextVar[bool] = ContextVar("exempt", default=False)

OPEN_TIMEOUT = 20.0
"""Seconds that the gateway's WebSocket may take to open, TLS and the upgrade included."""

CONNECTIONS = 100
"""Acknowledgements at once; aiohttp opens connections as they are needed."""


class ExemptingLock(GlobalLock):
    """The global limit, for whatever is under it."""

    def __init__(self) -> None:
        super().__init__()
        self.max_requests = CONNECTIONS  # the library makes its connection pool as large as this...
        self._limit = 45

    def reset_calls(self) -> None:
        """...so that the calls of a second are counted from their own limit."""
        super().reset_calls()
        self._calls = self._limit

    async def wait(self) -> None:
        """Wait for a call of this second, or not at all on an interaction endpoint."""
        if not _exempt.get():
            await super().wait()


class ExemptingHTTPClient(HTTPClient):
    """The library's REST client, with interaction endpoints out of its global limit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.global_lock = ExemptingLock()

    async def request(self, route: Route, *args: Any, **options: Any) -> Any:
        """See the library's; `route` tells whether the global limit is to be waited for."""
        reset = _exempt.set(route.path.startswith("/interactions/"))
        try:
            return await super().request(route, *args, **options)
        finally:
            _exempt.reset(reset)

    async def websocket_connect(self, url: str) -> ClientWebSocketResponse:
        """See the library's, which waits for minutes. Raises `TimeoutError`."""
        async with asyncio.timeout(OPEN_TIMEOUT):
            return await super().websocket_connect(url)
