"""The library's REST client, as the listener needs it.

It does not apply the library's limit of 45 requests a second to interaction endpoints, which Discord exempts
from the bot's global limit: with the stock client, 79 of 200 simultaneous commands are acknowledged too late
and lost. It also reports what Discord refuses to `ApplicationLimits`.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from aiohttp import ClientWebSocketResponse
from interactions.api.http.http_client import BucketLock, GlobalLock, HTTPClient
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException

from discordianai.discord.bridge import shared_tasks
from discordianai.discord.gateway.session_limit import bounded_seconds
from discordianai.discord.messages.application_limits import ApplicationLimits

_exempt: ContextVar[bool] = ContextVar("exempt", default=False)
_headers: ContextVar[Mapping[str, str]] = ContextVar("headers", default=MappingProxyType({}))

REQUEST_TIMEOUT = 30.0
"""Seconds that a request may take with all its retries, except on interaction endpoints. After a 429 the
library would wait for as long as Discord says, without telling anybody."""

OPEN_TIMEOUT = 20.0
"""Seconds that the gateway's WebSocket may take to open, TLS and the upgrade included."""

CONNECTIONS = 100
"""Simultaneous acknowledgements; aiohttp opens connections as they are needed."""


class ExemptingLock(GlobalLock):
    """The global limit, for all requests that it applies to."""

    def __init__(self, connections: int) -> None:
        super().__init__()
        self.max_requests = connections  # the library makes its connection pool as large as this...
        self._limit = 45

    def reset_calls(self) -> None:
        """...so that the calls of a second are counted from their own limit."""
        super().reset_calls()
        self._calls = self._limit

    async def wait(self) -> None:
        """Wait for a call of this second, or not at all on an interaction endpoint."""
        if not _exempt.get():
            await super().wait()


class RefusalsAtDebug(logging.LoggerAdapter[logging.Logger]):
    """The library logs each refused request as an error and raises it, too: the caller says what it means.

    After a resumed gateway these would be hundreds, of interactions that are older than three seconds.
    """

    def error(self, msg: object, *args: object, **options: Any) -> None:
        """Log it at DEBUG."""
        self.debug(msg, *args, **options)


class RestUnavailable(OSError):
    """Discord's REST API cannot be used for now. The text says why; `retry_after` is in seconds."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ListenerHTTPClient(HTTPClient):
    """Exempts interaction endpoints from the global limit; tells `limits` what Discord refuses.

    All shards share one. `shards` is how many of them there are: the gateway's connections come from the same
    pool.
    """

    def __init__(self, limits: ApplicationLimits, shards: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.global_lock = ExemptingLock(CONNECTIONS + shards)
        self._limits = limits

    async def request(self, route: Route, *args: Any, **options: Any) -> Any:
        """See the library's; `route` decides whether the global limit applies.

        Raises `RestUnavailable`, too: after a page instead of JSON, which the library cannot read, after a
        429 that asks for more than `REQUEST_TIMEOUT`, and where no retry helped.
        """
        exempt = route.path.startswith("/interactions/")
        reset, reset_headers = _exempt.set(exempt), _headers.set({})
        name = f"{route.method} {route.path}"
        try:
            # The library releases a bucket's lock in a task that it leaves behind.
            with shared_tasks():
                async with asyncio.timeout(None if exempt else REQUEST_TIMEOUT):
                    result = await super().request(route, *args, **options)
        except HTTPException as error:
            self._limits.note(error.status, _headers.get(), {})
            raise
        except TimeoutError:
            if exempt:
                raise
            raise RestUnavailable(f"{name} was not answered in time") from None
        except AttributeError:
            if "retry-after" not in _headers.get():
                raise
            self._limits.note(429, _headers.get(), None)
            raise RestUnavailable(f"{name} was answered 429 by Discord's edge") from None
        finally:
            _exempt.reset(reset)
            _headers.reset(reset_headers)
        if result is None and route.method == "GET":  # the library has given up
            raise RestUnavailable(f"{name} was answered with errors")
        return result

    def ingest_ratelimit(self, route: Route, header: Any, bucket_lock: BucketLock) -> None:
        """See the library's, which calls this after every answer, and tries again after a 429."""
        _headers.set({name.lower(): value for name, value in header.items()})
        if "x-ratelimit-scope" in _headers.get():
            self._limits.note(429, _headers.get(), {})
        retry_after = bounded_seconds(_headers.get().get("retry-after"))
        if retry_after > REQUEST_TIMEOUT and not _exempt.get() and "x-ratelimit-scope" in _headers.get():
            raise RestUnavailable(f"{route.method} {route.path} was answered 429", retry_after)
        super().ingest_ratelimit(route, header, bucket_lock)

    async def websocket_connect(self, url: str) -> ClientWebSocketResponse:
        """See the library's, which waits for minutes. Raises `TimeoutError`."""
        async with asyncio.timeout(OPEN_TIMEOUT):
            return await super().websocket_connect(url)
