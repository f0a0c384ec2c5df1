"""Discord's REST API: every route, and the checks before it. The endpoints are in modules of their own."""

import json
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate

import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from discordianai.sandbox.discord.application_endpoints import ApplicationEndpoints
from discordianai.sandbox.discord.channel_endpoints import ChannelEndpoints
from discordianai.sandbox.discord.interaction_endpoints import InteractionEndpoints
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.message_parts import read_message
from discordianai.sandbox.discord.rate_limit_buckets import TooManyRequests
from discordianai.sandbox.discord.sandbox_message import EndpointResult, RestError

Endpoint = Callable[[Request], Awaitable[EndpointResult]]


class RestServer:
    """Every route, and the checks before it: faults, authorization, rate limits."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    def routes(self) -> list[Route]:
        """For Starlette."""
        bot, channels = ApplicationEndpoints(self._discord), ChannelEndpoints(self._discord)
        webhooks = InteractionEndpoints(self._discord)
        app, guild = "/applications/{app}", "/applications/{app}/guilds/{guild}"
        message = "/webhooks/{app}/{token}/messages/{message}"
        return [
            self._route("GET", "/users/@me", bot.me),
            self._route("GET", "/users/@me/guilds", bot.guilds),
            self._route("GET", "/applications/@me", bot.application),
            self._route("GET", "/oauth2/applications/@me", bot.application),
            self._route("GET", "/gateway", bot.gateway),
            self._route("GET", "/gateway/bot", bot.gateway_bot),
            self._route("GET", f"{app}/commands", bot.list_commands),
            self._route("PUT", f"{app}/commands", bot.write_commands),
            self._route("GET", f"{guild}/commands", bot.list_commands),
            self._route("PUT", f"{guild}/commands", bot.write_commands),
            self._route("POST", "/users/@me/channels", channels.open_direct_messages),
            self._route("GET", "/channels/{channel}", channels.channel),
            self._route("PATCH", "/channels/{channel}", channels.reopen),
            self._route("POST", "/channels/{channel}/messages", channels.say),
            self._route("PATCH", "/channels/{channel}/messages/{message}", channels.change),
            self._route("DELETE", "/channels/{channel}/messages/{message}", channels.remove),
            self._route("POST", "/channels/{channel}/typing", channels.type),
            self._route("POST", "/channels/{channel}/threads", channels.open_thread),
            self._route("POST", "/interactions/{id}/{token}/callback", webhooks.respond, authorized=False),
            self._route("POST", "/webhooks/{app}/{token}", webhooks.follow_up, authorized=False),
            self._route("GET", message, webhooks.read, authorized=False),
            self._route("PATCH", message, webhooks.edit, authorized=False),
            self._route("DELETE", message, webhooks.delete, authorized=False),
        ]

    def _route(self, method: str, path: str, endpoint: Endpoint, *, authorized: bool = True) -> Route:
        async def serve(request: Request) -> Response:
            try:
                response = await self._answer(request, endpoint, authorized)
            except ClientDisconnect:
                response = Response(status_code=499)
            if request.method != "GET":
                self._discord.note_change()
            response.headers["Date"] = formatdate(self._discord.now(), usegmt=True)
            return response

        return Route("/api/v10" + path, serve, methods=[method])

    async def _answer(self, request: Request, endpoint: Endpoint, authorized: bool) -> Response:
        headers: dict[str, str] = {}
        self._discord.counters.user_agents.add(request.headers.get("user-agent", ""))
        if request.url.path.endswith("/gateway/bot"):
            self._discord.counters.gateway_questions.append(trio.current_time())
        if (left := self._discord.banned_until - trio.current_time()) > 0:
            self._discord.counters.while_banned.append(trio.current_time())
            await self._note_banned(request)
            page = "<!DOCTYPE html><title>Access denied | discord.com</title><p>Error 1015</p>"
            return HTMLResponse(page, 429, {"Retry-After": str(math.ceil(left))})
        try:
            headers = self._check(request, authorized)
            status, body = await endpoint(request)
        except TooManyRequests as error:
            self._discord.counters.rate_limited += 1
            return _json(429, error.body, error.headers)
        except RestError as error:
            self._record(request, error)
            return _json(error.status, error.body, headers)
        return Response(status_code=204, headers=headers) if body is None else _json(status, body, headers)

    async def _note_banned(self, request: Request) -> None:
        interaction = self._discord.interactions.get(request.path_params.get("token", ""))
        if interaction is not None and request.url.path.endswith("/callback"):
            with suppress(RestError):  # the edge looks into no body
                body, _ = await read_message(request)
                interaction.banned_responses.append(body.get("type"))

    def _check(self, request: Request, authorized: bool) -> dict[str, str]:
        """Apply injected errors, authorization and rate limits; return the rate limit headers."""
        discord, path, now = self._discord, request.url.path, self._discord.now()
        if (left := discord.limited_until - trio.current_time()) > 0 and "/interactions/" not in path:
            discord.counters.while_limited += 1
            raise TooManyRequests(left, everywhere=True, headers={})
        if (status := discord.failure_for(path)) is not None:
            raise RestError(status, 0, f"{status}: injected by a test")
        if limited := discord.limited_for(path):
            raise TooManyRequests(limited, everywhere=False, headers={})
        if authorized:
            if request.headers.get("authorization", "").removeprefix("Bot ") != discord.options.token:
                raise RestError(401, 0, "401: Unauthorized")
            try:
                discord.global_bucket.take("bot", now, everywhere=True)
            except TooManyRequests:
                discord.counters.globally_limited += 1
                raise
        if "/webhooks/" in path:
            return discord.webhook_buckets.take(request.path_params["token"], now)
        if "/messages" in path and "/channels/" in path:
            return discord.channel_buckets.take(request.path_params["channel"], now)
        return {}

    def _record(self, request: Request, error: RestError) -> None:
        counters = self._discord.counters
        counters.late_acknowledgements += error.body["code"] == 10062
        place = "/".join(request.url.path.split("/")[:4])
        counters.refused = [
            *counters.refused[-999:],
            f"{request.method} {place} {error.status} {error.body['code']}",
        ]


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    # Libraries parse JSON only with exactly this content type.
    return Response(json.dumps(body), status, {**headers, "Content-Type": "application/json"})
