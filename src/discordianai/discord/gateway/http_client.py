"""The library's REST client, as the listener needs it.

It does not apply the library's limit of 45 requests a second to interaction endpoints, which Discord exempts
from the bot's global limit: with the stock client, 79 of 200 simultaneous commands are acknowledged too late
and lost. It also reports what Discord refuses to `ApplicationLimits`.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp import ClientWebSocketResponse
from interactions.api.http.http_client import BucketLock, GlobalLock, HTTPClient
from interactions.api.http.route import Route
from interactions.client.const import __api_version__
from interactions.client.errors import HTTPException

from discordianai.discord.bridge import shared_tasks
from discordianai.discord.gateway.gateway_address import api_may_name
from discordianai.discord.gateway.session_limit import bounded_seconds
from discordianai.discord.messages.application_limits import ApplicationLimits

_exempt: ContextVar[bool] = ContextVar("exempt", default=False)
_headers: ContextVar[Mapping[str, str]] = ContextVar("headers", default=MappingProxyType({}))

REQUEST_TIMEOUT = 30.0
"""Seconds that a request may take with all its retries, except on interaction endpoints. After a 429 the
library would wait for as long as Discord says, without telling anybody."""

OPEN_TIMEOUT = 20.0
"""Seconds that the gateway's WebSocket may take to open, TLS and the upgrade included."""

LARGEST_FRAME = 32 * 2**20
"""Bytes of a WebSocket message, compressed: the largest servers have some megabytes."""

CONNECTIONS = 100
"""Simultaneous acknowledgements; aiohttp opens connections as they are needed."""

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, RecursionError)
"""What the library raises where an answer is something else than it expects."""


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

    All shards share one. Their WebSockets have a session of their own, which follows no redirect: the token
    goes to whatever they are connected to.
    """

    def __init__(self, limits: ApplicationLimits, **options: Any) -> None:
        super().__init__(**options)
        self.global_lock = ExemptingLock(CONNECTIONS)
        self._limits = limits
        self._sockets: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """See the library's."""
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            await sockets.close()
        await super().close()

    async def request(self, route: Route, *args: Any, **options: Any) -> Any:
        """See the library's; `route` decides whether the global limit applies.

        Raises `RestUnavailable`, too: after an answer that the library cannot read, a page instead of JSON
        for example, after a 429 that asks for more than `REQUEST_TIMEOUT`, and where no retry helped.
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
        except UNREADABLE as error:
            if isinstance(error, AttributeError) and "retry-after" in _headers.get():
                self._limits.note(429, _headers.get(), None)
                raise RestUnavailable(f"{name} was answered 429 by Discord's edge") from None
            # Without the error's text, which may carry what was sent.
            raise RestUnavailable(f"{name} was answered with something unreadable") from None
        finally:
            _exempt.reset(reset)
            _headers.reset(reset_headers)
        if route.method != "GET":
            return result
        if result is None:  # the library has given up
            raise RestUnavailable(f"{name} was answered with errors")
        return _read(result, name)

    async def get_gateway(self) -> str:
        """See the library's. Raises `RestUnavailable` where no gateway is named to which a token may go."""
        route = Route("GET", "/gateway")
        answer = await self.request(route)
        url = answer.get("url") if isinstance(answer, dict) else None
        if not api_may_name(url, Route.BASE):
            raise RestUnavailable("GET /gateway named no address of a gateway")
        return f"{url}?encoding=json&v={__api_version__}&compress=zlib-stream"

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
        """See the library's, which waits for minutes and goes wherever it is sent. Raises `TimeoutError`."""
        if self._sockets is None:
            self._sockets = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), trace_configs=[_no_redirects()]
            )
        async with asyncio.timeout(OPEN_TIMEOUT):
            return await self._sockets.ws_connect(
                url, autoclose=False, max_msg_size=LARGEST_FRAME, headers={"User-Agent": self.user_agent}
            )


def _no_redirects() -> aiohttp.TraceConfig:
    """`ws_connect` itself cannot be told."""

    async def refuse(_session: object, _context: object, _redirect: object) -> None:
        raise aiohttp.ClientConnectionError("redirected")

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def _read(result: Any, name: str) -> Any:
    """A result as JSON: the library takes it for text where its type has a charset, or is another one."""
    if not isinstance(result, str):
        return result
    try:
        return json.loads(result)
    except (ValueError, RecursionError):
        raise RestUnavailable(f"{name} was answered with something unreadable") from None
