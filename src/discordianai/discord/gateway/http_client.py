"""The library's REST client, as the listener needs it: requests go out and come back in a way of our own.

The library believes what it is answered. A header that is no number, a page instead of JSON, a 204 that calls
itself JSON, or a 429 without the fields that it expects raises whatever that leads to, also where Discord has
taken the request; and after three 429s a request counts as done. It would also apply a limit of 45 requests a
second to interaction endpoints, which Discord exempts from the bot's global limit: with the stock client, 79
of 200 simultaneous commands are acknowledged too late and lost.

Here acknowledgements are sent at once, and once. All other requests pass `ApplicationLimits`, as those that
write messages do. Both tell it what Discord refuses.
"""

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import httpx
from aiohttp import ClientWebSocketResponse
from interactions.api.http.http_client import HTTPClient
from interactions.api.http.route import Route
from interactions.client.const import __api_version__

from discordianai.bounded_http import BODY_WITHIN, MOST_BYTES
from discordianai.discord.bridge import shared_tasks
from discordianai.discord.events.discord_addresses import api_may_name
from discordianai.discord.messages.application_limits import (
    ACKNOWLEDGEMENT,
    SHORTEST_WAIT,
    ApplicationLimits,
    is_discords,
    wait_of,
)
from discordianai.discord.messages.port import MessagesBusy
from discordianai.discord.messages.refused_calls import Call
from discordianai.waits import named_wait, now_of

REQUEST_TIMEOUT = 30.0
"""Seconds that a request may take with all its retries, except on interaction endpoints. What Discord asks to
wait for longer is not waited for here."""

ATTEMPTS, PAUSE = 3, 1.0
"""Tries of a request that met a 429 or an error of Discord's, and seconds before the second one; before each
further one they are three times as many."""

REFUSAL_WITHIN = 1.0
"""Seconds for the body of a refused acknowledgement, which has three in all; its status is there."""

OPEN_TIMEOUT = 20.0
"""Seconds that the gateway's WebSocket may take to open, TLS and the upgrade included."""

LARGEST_FRAME = 32 * 2**20
"""Bytes of a WebSocket message, compressed: the largest servers have some megabytes."""

CONNECTIONS = 100
"""Simultaneous acknowledgements; aiohttp opens connections as they are needed."""


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


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back. `body` is its JSON; None where there is none."""

    response: aiohttp.ClientResponse
    headers: httpx.Headers
    body: Any

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_page(self) -> bool:
        """Whether it is one of what stands before Discord: a page mostly, or Cloudflare's JSON."""
        return not is_discords(self.body)

    @property
    def wait(self) -> float | None:
        """Seconds that a 429 asks to wait, if it says so."""
        return wait_of(self.headers, self.body if isinstance(self.body, dict) else {})


class ListenerHTTPClient(HTTPClient):
    """All shards share one. Their WebSockets have a session of their own, which follows no redirect: the
    token goes to whatever they are connected to.
    """

    def __init__(self, limits: ApplicationLimits, **options: Any) -> None:
        super().__init__(**options)
        self.global_lock.max_requests = CONNECTIONS  # the library makes its pool as large as this
        self._limits = limits
        self._free_at: dict[str, float] = {}
        self._sockets: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """See the library's."""
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            await sockets.close()
        await super().close()

    async def request(  # the library's parameters
        self,
        route: Route,
        payload: Any = None,
        files: Any = None,
        reason: str | None = None,  # noqa: ARG002  # for audit logs, which nothing here writes to
        params: Any = None,
        **_options: Any,
    ) -> Any:
        """See the library's. Raises its `HTTPException` for what Discord refuses.

        An acknowledgement is sent once: a 429 raises `MessagesBusy`, or `RestUnavailable` where it is a page
        of Cloudflare's. All else is sent again while that may help, and raises `RestUnavailable` where it
        does not, or takes longer than `REQUEST_TIMEOUT`.
        """
        body, name = self._process_payload(payload, files), f"{route.method} {route.path}"
        with shared_tasks():  # what the connections need belongs to no session
            if route.path.startswith("/interactions/"):
                await self._acknowledge(route, body)
                return None
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    return await self._insist(name, route, body, params)
            except TimeoutError:
                raise RestUnavailable(f"{name} was not answered in time") from None

    async def _acknowledge(self, route: Route, body: Any) -> None:
        if not self._limits.takes_acknowledgement():
            raise RestUnavailable("too many of the bot's requests are refused")
        answer = await self._exchange(route, body, None, acknowledges=True)
        if answer.succeeded:
            return
        self._limits.note(answer.status, answer.headers, answer.body, ACKNOWLEDGEMENT)
        if answer.status == 429 and answer.is_page:  # a ban: each request may prolong it
            raise RestUnavailable("Discord's edge answered 429", answer.wait or 0.0)
        if answer.status == 429:
            raise MessagesBusy("Discord answered 429", answer.wait or 0.0)
        await self._raise_exception(answer.response, route, answer.body)

    async def _insist(self, name: str, route: Route, body: Any, params: Any) -> Any:
        call = Call(name, as_bot=not route.path.startswith("/webhooks/"))
        pause, rest = PAUSE, 0.0
        for _ in range(ATTEMPTS):
            await asyncio.sleep(rest)
            await self._turn(name, route, call)
            with self._limits.probing():
                answer = await self._exchange(route, body, params)
            self._limits.note(answer.status, answer.headers, answer.body)
            self._learn(route, answer.headers)
            limited = answer.status == 429
            if not limited and answer.status < 500:
                return await self._result(name, route, answer)
            wait, banned = answer.wait or 0.0, limited and answer.is_page
            if wait > REQUEST_TIMEOUT or banned:
                edge = " by Discord's edge" if banned else ""
                raise RestUnavailable(f"{name} was answered {answer.status}{edge}", wait)
            rest = max(pause, wait)
            pause *= 3
        raise RestUnavailable(f"{name} was answered with errors")

    async def _turn(self, name: str, route: Route, call: Call) -> None:
        """Return when Discord allows the request, as far as it has said."""
        await asyncio.sleep(self._free_at.get(route.endpoint, 0.0) - asyncio.get_running_loop().time())
        while wait := self._limits.take(call):
            if wait > REQUEST_TIMEOUT:
                raise RestUnavailable(f"{name} has to wait for Discord", wait)
            await asyncio.sleep(max(wait, SHORTEST_WAIT))

    def _learn(self, route: Route, headers: httpx.Headers) -> None:
        """Let the next request of this kind wait for its bucket."""
        if headers.get("x-ratelimit-remaining") == "0":
            wait = named_wait(headers.get("x-ratelimit-reset-after"), now_of(headers)) or 0.0
            self._free_at[route.endpoint] = asyncio.get_running_loop().time() + min(wait, REQUEST_TIMEOUT)

    async def _result(self, name: str, route: Route, answer: _Answer) -> Any:
        if answer.status == 401 and answer.is_page:  # a proxy's; only Discord knows the token
            raise RestUnavailable(f"{name} was answered 401 by something else than Discord")
        if not answer.succeeded:
            await self._raise_exception(answer.response, route, answer.body)
        if answer.body is None and route.method == "GET":
            raise RestUnavailable(f"{name} was answered with something that cannot be read")
        return answer.body

    async def _exchange(self, route: Route, body: Any, params: Any, *, acknowledges: bool = False) -> _Answer:
        """Send it once. Raises what aiohttp does. Of an acknowledgement that is taken, no body is read."""
        session: aiohttp.ClientSession | None = self._HTTPClient__session  # type: ignore[attr-defined]  # the library's, behind a mangled name
        if session is None or session.closed:
            raise RestUnavailable("the listener has ended")
        headers = {"User-Agent": self.user_agent, "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bot {self.token}"
        content = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
        async with session.request(
            route.method, route.url, headers=headers, params=params, allow_redirects=False, **content
        ) as response:
            answer = _Answer(response, httpx.Headers(list(response.raw_headers)), None)
            if acknowledges and answer.succeeded:
                return answer
            within = REFUSAL_WITHIN if acknowledges else BODY_WITHIN
            return replace(answer, body=await _json_of(response, within))

    async def get_gateway(self) -> str:
        """See the library's. Raises `RestUnavailable` where no gateway is named to which a token may go."""
        route = Route("GET", "/gateway")
        answer = await self.request(route)
        url = answer.get("url") if isinstance(answer, dict) else None
        if not api_may_name(url, Route.BASE):
            raise RestUnavailable("GET /gateway named no address of a gateway")
        return f"{url}?encoding=json&v={__api_version__}&compress=zlib-stream"

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


async def _json_of(response: aiohttp.ClientResponse, within: float) -> Any:
    """The JSON in it, as far as it is within bounds of size and time; None where there is none."""
    content = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(within):
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MOST_BYTES:
                    return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
