"""Discord's REST API: the application, commands, messages, and responses to interactions."""

import json
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from itertools import islice
from typing import Any

import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from discordianai.sandbox.discord.api_objects import (
    BOT,
    GUILD,
    OWNER_ID,
    TEXT,
    Channel,
    Json,
    User,
    direct_messages,
)
from discordianai.sandbox.discord.command_validation import checked
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.rate_limit_buckets import TooManyRequests
from discordianai.sandbox.discord.sandbox_interaction import Interaction
from discordianai.sandbox.discord.sandbox_message import EPHEMERAL, LOADING, RestError, SandboxMessage
from discordianai.sandbox.discord.shard import SandboxShard

CHANNEL_MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, AUTOCOMPLETE, MODAL = 4, 5, 6, 7, 8, 9

NONCE_LIMIT, MOST_NONCES = 25, 1000
"""Characters of a nonce, and how many are remembered."""

EndpointResult = tuple[int, Any]
"""A status and a body."""
Endpoint = Callable[["RestServer", Request], Awaitable[EndpointResult]]


class RestServer:
    """Every route, and the checks before it: faults, authorization, rate limits."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    def routes(self) -> list[Route]:
        """For Starlette."""
        app, guild = "/applications/{app}", "/applications/{app}/guilds/{guild}"
        message = "/webhooks/{app}/{token}/messages/{message}"
        return [
            self._route("GET", "/users/@me", RestServer.me),
            self._route("GET", "/users/@me/guilds", RestServer.guilds),
            self._route("GET", "/applications/@me", RestServer.application),
            self._route("GET", "/oauth2/applications/@me", RestServer.application),
            self._route("GET", "/gateway", RestServer.gateway),
            self._route("GET", "/gateway/bot", RestServer.gateway_bot),
            self._route("GET", f"{app}/commands", RestServer.list_commands),
            self._route("PUT", f"{app}/commands", RestServer.write_commands),
            self._route("GET", f"{guild}/commands", RestServer.list_commands),
            self._route("PUT", f"{guild}/commands", RestServer.write_commands),
            self._route("POST", "/users/@me/channels", RestServer.open_direct_messages),
            self._route("GET", "/channels/{channel}", RestServer.channel),
            self._route("PATCH", "/channels/{channel}", RestServer.reopen),
            self._route("POST", "/channels/{channel}/messages", RestServer.say),
            self._route("PATCH", "/channels/{channel}/messages/{message}", RestServer.change),
            self._route("DELETE", "/channels/{channel}/messages/{message}", RestServer.remove),
            self._route("POST", "/channels/{channel}/typing", RestServer.type),
            self._route("POST", "/channels/{channel}/threads", RestServer.open_thread),
            self._route("POST", "/interactions/{id}/{token}/callback", RestServer.respond, authorized=False),
            self._route("POST", "/webhooks/{app}/{token}", RestServer.follow_up, authorized=False),
            self._route("GET", message, RestServer.read, authorized=False),
            self._route("PATCH", message, RestServer.edit, authorized=False),
            self._route("DELETE", message, RestServer.delete, authorized=False),
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
        if request.url.path.endswith("/gateway/bot"):
            self._discord.counters.gateway_questions.append(trio.current_time())
        if (left := self._discord.banned_until - trio.current_time()) > 0:
            self._discord.counters.while_banned.append(trio.current_time())
            await self._note_banned(request)
            page = "<!DOCTYPE html><title>Access denied | discord.com</title><p>Error 1015</p>"
            return HTMLResponse(page, 429, {"Retry-After": str(math.ceil(left))})
        try:
            headers = self._check(request, authorized)
            status, body = await endpoint(self, request)
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
                body, _ = await _read_message(request)
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

    async def me(self, _request: Request) -> EndpointResult:
        """The bot's user."""
        return 200, BOT.json()

    async def application(self, _request: Request) -> EndpointResult:
        """The bot's application."""
        return 200, {
            "id": str(BOT.id),
            "name": BOT.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": self._discord.options.application_flags,
            "owner": User(OWNER_ID, "Owner").json(),
            "team": None,
            "summary": "",
        }

    async def gateway(self, _request: Request) -> EndpointResult:
        """The gateway's URL."""
        return 200, {"url": self._discord.gateway_url}

    async def gateway_bot(self, _request: Request) -> EndpointResult:
        """The gateway's URL, how many shards Discord recommends, and how often the bot may identify."""
        discord = self._discord
        return 200, {
            "url": discord.gateway_url,
            "shards": discord.options.recommended_shards,
            "session_start_limit": discord.start_limit.json(discord.now()),
        }

    async def guilds(self, request: Request) -> EndpointResult:
        """The bot's guilds, a page of at most 200."""
        limit, after = (
            int(request.query_params.get(key, most)) for key, most in (("limit", 200), ("after", 0))
        )
        later = (guild_id for guild_id in sorted(self._discord.guild_ids(SandboxShard())) if guild_id > after)
        return 200, [
            {"id": str(guild_id), "name": GUILD.name if guild_id == GUILD.id else "Another", "features": []}
            for guild_id in islice(later, min(limit, 200))
        ]

    async def list_commands(self, request: Request) -> EndpointResult:
        """The registered commands of a guild, or the global ones."""
        return 200, list(self._discord.registered.get(_scope(request), {}).values())

    async def write_commands(self, request: Request) -> EndpointResult:
        """Replace the commands."""
        scope = _scope(request)
        commands = checked(await request.json(), self._discord.ids)
        if scope is not None:
            commands = [{**command, "guild_id": str(scope)} for command in commands]
        self._discord.registered[scope] = {command["name"]: command for command in commands}
        self._discord.counters.commands_written += 1
        return 200, commands

    async def channel(self, request: Request) -> EndpointResult:
        """A channel of the guild."""
        return 200, self._channel(request).json()

    async def open_direct_messages(self, request: Request) -> EndpointResult:
        """The direct message channel of a user and the bot, which is there for everybody."""
        recipient_id = int((await request.json())["recipient_id"])
        channel = direct_messages(User(recipient_id, "Recipient"))
        if self._discord.channel(channel.id) is None:
            self._discord.direct_channels.append(channel)
        return 200, channel.json()

    async def reopen(self, request: Request) -> EndpointResult:
        """Open an archived thread again."""
        thread = self._channel(request)
        if (await request.json()) != {"archived": False} or thread.id in self._discord.locked_threads:
            raise RestError(403, 50013, "Missing Permissions")
        self._discord.archived_threads.discard(thread.id)
        return 200, thread.json()

    def _channel(self, request: Request) -> Channel:
        if int(request.path_params["channel"]) in self._discord.deleted_channels:
            raise RestError(404, 10003, "Unknown Channel")
        channel = self._discord.channel(int(request.path_params["channel"]))
        if channel is None or channel.id in self._discord.closed_channels:
            raise RestError(403, 50001, "Missing Access")
        return channel

    async def say(self, request: Request) -> EndpointResult:
        """Create a message in a channel; in an archived thread, that opens it again."""
        channel, discord = self._channel(request), self._discord
        if channel.id in discord.locked_threads:
            raise RestError(403, 160005, "Thread is locked")
        if channel.guild_id is None and channel.id + 1 in discord.unreachable_people:
            raise RestError(403, 50007, "Cannot send messages to this user")
        discord.archived_threads.discard(channel.id)
        message = discord.message(channel.id)
        body, files = await self._message_body(request, message.channel_id)
        nonce = str(body.get("nonce", "")) if body.get("enforce_nonce") else ""
        if len(nonce) > NONCE_LIMIT:
            raise RestError(400, 50035, "Invalid Form Body")
        if nonce in discord.by_nonce:  # it was sent before, and its response was lost
            return 200, discord.by_nonce[nonce].json()
        message.update(body, files)
        discord.channel_messages.append(message)
        if nonce:
            discord.by_nonce[nonce] = message
            while len(discord.by_nonce) > MOST_NONCES:
                del discord.by_nonce[next(iter(discord.by_nonce))]
        return 200, message.json()

    def _own_message(self, request: Request) -> SandboxMessage:
        channel_id = self._channel(request).id
        wanted = (request.path_params["message"], channel_id)
        for message in self._discord.channel_messages:
            if (str(message.id), message.channel_id) == wanted and not message.deleted:
                return message
        raise RestError(404, 10008, "Unknown Message")

    async def change(self, request: Request) -> EndpointResult:
        """Edit a message in a channel."""
        message = self._own_message(request)
        if message.channel_id in self._discord.archived_threads | self._discord.locked_threads:
            raise RestError(400, 50083, "Thread is archived")
        message.update(*await self._message_body(request, message.channel_id))
        return 200, message.json()

    async def remove(self, request: Request) -> EndpointResult:
        """Delete a message in a channel."""
        self._own_message(request).deleted = True
        return 204, None

    async def type(self, request: Request) -> EndpointResult:
        """Show the typing indicator."""
        self._discord.counters.typing.append(self._channel(request).id)
        return 204, None

    async def open_thread(self, request: Request) -> EndpointResult:
        """Create a thread in a channel."""
        parent, body = self._channel(request), await request.json()
        if parent.kind != TEXT or parent.guild_id is None:
            raise RestError(400, 50024, "Cannot execute action on this channel type")
        if parent.id in self._discord.channels_without_threads:
            raise RestError(403, 50013, "Missing Permissions")
        if not 1 <= len(body["name"]) <= 100:
            raise RestError(400, 50035, "Invalid Form Body")
        thread = self._discord.add_thread(parent, body["name"])
        return 201, thread.json()

    async def respond(self, request: Request) -> EndpointResult:
        """The initial response to an interaction."""
        interaction = self._interaction(request)
        body, files = await self._message_body(request, interaction.channel.id)
        kind, data = body["type"], body.get("data") or {}
        private = EPHEMERAL if interaction.forced_private else int(data.get("flags") or 0) & EPHEMERAL
        message = self._discord.message(interaction.channel.id, private)
        if kind == CHANNEL_MESSAGE:
            message.update(data, files)
        interaction.acknowledge(kind, self._discord.now())
        if kind == AUTOCOMPLETE:
            interaction.choices = [choice["value"] for choice in data["choices"]]
        if kind == MODAL:
            interaction.form = data
        if kind == DEFERRED_MESSAGE:
            message.flags |= LOADING
        if kind in {DEFERRED_UPDATE, UPDATE} and interaction.source is not None:
            interaction.messages.append(interaction.source)  # @original, from then on
        if kind in {CHANNEL_MESSAGE, DEFERRED_MESSAGE}:
            interaction.messages.append(message)
        interaction.changed()
        if request.query_params.get("with_response") in {"true", "1"}:
            return 200, _callback_response(interaction, kind, message)
        return 204, None

    async def follow_up(self, request: Request) -> EndpointResult:
        """Create a follow-up message; the first one after a deferral becomes the original response."""
        interaction = self._interaction(request)
        interaction.check_token(self._discord.now())
        body, files = await self._message_body(request, interaction.channel.id)
        original = interaction.messages[0] if interaction.messages else None
        if original is not None and original.loading:
            message = original
            message.update(body, files)
        else:
            interaction.check_follow_up_limit()
            private = EPHEMERAL if interaction.forced_private else int(body.get("flags") or 0) & EPHEMERAL
            message = self._discord.message(interaction.channel.id, private)
            message.update(body, files)
            interaction.messages.append(message)
        interaction.changed()
        return 200, message.json()

    async def read(self, request: Request) -> EndpointResult:
        """A message of an interaction."""
        return 200, self._message(request)[1].json()

    async def edit(self, request: Request) -> EndpointResult:
        """Edit a message of an interaction."""
        interaction, message = self._message(request)
        message.update(*await self._message_body(request, message.channel_id))
        interaction.changed()
        return 200, message.json()

    async def delete(self, request: Request) -> EndpointResult:
        """Delete a message of an interaction."""
        interaction, message = self._message(request)
        message.deleted = True
        interaction.changed()
        return 204, None

    def _interaction(self, request: Request) -> Interaction:
        interaction = self._discord.interactions.get(request.path_params["token"])
        if interaction is None:
            raise RestError(404, 10015, "Unknown Webhook")
        return interaction

    def _message(self, request: Request) -> tuple[Interaction, SandboxMessage]:
        interaction = self._interaction(request)
        interaction.check_token(self._discord.now())
        return interaction, interaction.find(request.path_params["message"])

    async def _message_body(self, request: Request, channel_id: int) -> tuple[Json, dict[str, bytes]]:
        """See `_read_message`; what a server's permissions and filters refuse goes no further."""
        body, files = await _read_message(request)
        discord = self._discord
        message = body.get("data") or body  # the initial response to an interaction wraps it
        if any(word in str(message.get("content", "")) for word in discord.blocked_words):
            raise RestError(400, 240000, "Message blocked by harmful links filter")
        text = json.dumps(message, ensure_ascii=False)
        for refused, (status, code) in discord.refused_texts.items():
            if refused in text:
                raise RestError(status, code, "refused by a test")
        if files and channel_id in discord.channels_without_files:
            raise RestError(403, 50013, "Missing Permissions")
        if sum(map(len, files.values())) > discord.file_limit:
            raise RestError(413, 40005, "Request entity too large")
        if message.get("message_reference") and channel_id in discord.channels_without_replies:
            raise RestError(403, 160002, "Cannot reply without permission to read message history")
        return body, files


def _scope(request: Request) -> int | None:
    """The guild that a request is about, None where it is about all of them."""
    guild = request.path_params.get("guild")
    return None if guild is None else int(guild)


async def _read_message(request: Request) -> tuple[Json, dict[str, bytes]]:
    """The JSON of a message, and the attached files."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            return json.loads(await request.body()), {}
        except ValueError:
            raise RestError(400, 50109, "The request body contains invalid JSON.") from None
    async with request.form() as form:
        files = {str(part.filename): await part.read() for part in form.values() if not isinstance(part, str)}
        return json.loads(str(form["payload_json"])), files


def _callback_response(interaction: Interaction, kind: int, message: SandboxMessage) -> Json:
    about = {
        "id": str(interaction.id),
        "type": 2,
        "response_message_id": str(message.id),
        "response_message_loading": message.loading,
        "response_message_ephemeral": message.private,
    }
    return {"interaction": about, "resource": {"type": kind, "message": message.json()}}


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    # Libraries parse JSON only with exactly this content type.
    return Response(json.dumps(body), status, {**headers, "Content-Type": "application/json"})
