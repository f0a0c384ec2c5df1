"""The library's REST client, as the listener needs it.

It keeps the library's limit of 45 requests a second away from interaction endpoints, which Discord exempts
from the bot's global limit: with the stock client, of 200 commands in one moment 79 are acknowledged too late
and lost. And it counts what Discord refuses, for the gate of all other requests.
"""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from aiohttp import ClientWebSocketResponse
from interactions.api.http.http_client import BucketLock, GlobalLock, HTTPClient
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException

from discordianai.discord.messages.application_limits import ApplicationLimits

_exempt: ContextVar[bool] = ContextVar("exempt", default=False)
_headers: ContextVar[Mapping[str, str]] = ContextVar("headers", default=MappingProxyType({}))

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


class RefusedByPage(OSError):
    """Discord's edge has answered with a page: a ban of this address, whatever was asked."""


class ListenerHTTPClient(HTTPClient):
    """Interaction endpoints are out of its global limit; `limits` learns what Discord refuses."""

    def __init__(self, limits: ApplicationLimits, **options: Any) -> None:
        super().__init__(**options)
        self.global_lock = ExemptingLock()
        self._limits = limits

    async def request(self, route: Route, *args: Any, **options: Any) -> Any:
        """See the library's; `route` tells whether the global limit is to be waited for.

        Raises `RefusedByPage`, too: the library takes the text of a 429 for JSON.
        """
        reset, reset_headers = _exempt.set(route.path.startswith("/interactions/")), _headers.set({})
        try:
            return await super().request(route, *args, **options)
        except HTTPException as error:
            self._limits.note(error.status, _headers.get(), {})
            raise
        except AttributeError:
            if "retry-after" not in _headers.get():
                raise
            self._limits.note(429, _headers.get(), None)
            raise RefusedByPage from None
        finally:
            _exempt.reset(reset)
            _headers.reset(reset_headers)

    def ingest_ratelimit(self, route: Route, header: Any, bucket_lock: BucketLock) -> None:
        """See the library's, which calls this after every answer, and tries again after a 429."""
        _headers.set({name.lower(): value for name, value in header.items()})
        if "x-ratelimit-scope" in _headers.get():
            self._limits.note(429, _headers.get(), {})
        super().ingest_ratelimit(route, header, bucket_lock)

    async def websocket_connect(self, url: str) -> ClientWebSocketResponse:
        """See the library's, which waits for minutes. Raises `TimeoutError`."""
        async with asyncio.timeout(OPEN_TIMEOUT):
            return await super().websocket_connect(url)
