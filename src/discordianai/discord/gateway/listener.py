"""The asyncio side of the gateway: one run of the library, connected to the gateway.

It uses the library's gateway and REST client, but reads interactions itself: the library's command framework
ignores them until its start-up is done, calls Discord before a command in a direct message runs, and logs
what people wrote.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from interactions import Activity, ActivityType, Client, Intents, Status
from interactions.api.events import BaseEvent, RawGatewayEvent, Resume, WebsocketReady
from interactions.client.errors import HTTPException
from interactions.models.internal.listener import Listener as EventListener

from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.payload import Malformed, Payload, record, snowflake
from discordianai.discord.events.sharded_guilds import ShardedGuilds
from discordianai.discord.gateway.http_client import ListenerHTTPClient, RestUnavailable
from discordianai.discord.gateway.intents import MESSAGE_CONTENT, privileged
from discordianai.discord.gateway.refusals import refusal
from discordianai.discord.gateway.session import GatewaySession
from discordianai.discord.gateway.session_limit import GatewayUnavailable, ListenerRefused
from discordianai.discord.gateway.shard import Shard
from discordianai.discord.gateway.shared_rest import SharedRest
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.handler import HANDLED_WITHIN, InteractionHandler
from discordianai.discord.interactions.recent_events import RecentEvents
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.guard import Guard
from discordianai.option import Live
from discordianai.repeated_warning import RepeatedWarning

PLACES = (
    "guild_create",
    "guild_update",
    "guild_delete",
    "channel_create",
    "channel_update",
    "channel_delete",
)
THREADS = ("thread_create", "thread_update", "thread_delete", "thread_list_sync")
ROLES = ("guild_role_create", "guild_role_update", "guild_role_delete")
"""Events that the guild cache reads."""

MEMBERS = ("guild_member_update",)
"""Of the bot itself alone: for other people's, Discord asks for an intent."""

UNLISTED_FOR = 3600.0
"""Seconds for which a READY that names no server is not taken to mean that the bot has left them all."""


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the gateway needs of the rest of the bot."""

    options: Live[BotOptions]
    commands: OfferedCommands
    admission: Admission
    api: DiscordApi
    figures: DiscordCounter


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What the sessions of all shards share on this thread. `app` comes from the rest of the bot."""

    app: GatewayParts
    router: InteractionRouter
    guilds: ShardedGuilds
    events: RecentEvents
    backend: Backend
    rest: SharedRest


class Listener:
    """One session of a shard, with a client of the library. Not reusable."""

    def __init__(self, shared: SharedParts, shard: Shard) -> None:
        self._shared = shared
        self._shard = shard
        self._options = shared.app.options.now
        self._guild_cache = shared.guilds.of(shard.id)
        self._refused_calls = shared.app.api.limits.refused
        self._figures = shard.figures
        self._log = structlog.get_logger("discordianai.discord.gateway.listener")
        self._started = time.monotonic()
        self._receiving: set[asyncio.Task[None]] = set()
        self._bot_id = 0
        self._session_socket: object = None
        self._unlisted: asyncio.TimerHandle | None = None
        self._guards: dict[str, Guard] = {}
        self._malformed = RepeatedWarning(self._log, "an event of the gateway could not be read")

    async def run(self) -> None:
        """Listen until cancelled.

        Raises `ListenerRefused` where only the operator can help, `SessionEnded` where a new session is
        needed, `GatewayUnavailable` where REST held it up, else whatever failed.
        """
        try:
            async with self._shared.rest.logged_in() as http:
                self._client = self._make_client(http)
                self._session = self._make_session()
                shared = self._shared
                self._handler = InteractionHandler(
                    http,
                    shared.router,
                    shared.app.admission,
                    shared.backend,
                    shared.app.figures,
                    shared.events,
                )
                with self._figures.watched(self._heartbeat):
                    try:
                        await self._session.start()
                    finally:
                        await self._finish_receiving()
        except Exception as error:
            if sentence := refusal(error, self._shard.id, self._shard.total):
                raise ListenerRefused(sentence) from None
            if unavailable := _unavailable(error):
                raise unavailable from error
            raise
        finally:
            if self._unlisted is not None:
                self._unlisted.cancel()

    def _make_client(self, http: ListenerHTTPClient) -> Client:
        client = GatewayOnlyClient(
            intents=_intents(self._options),
            activity=_activity(self._options),
            status=Status(self._options.status),
            sync_interactions=False,
            send_command_tracebacks=False,
            send_not_ready_messages=False,
            logger=logging.getLogger("interactions"),
            shard_id=self._shard.id,
            total_shards=self._shard.total,
        )
        client.http = http
        client.add_event_processor("raw_interaction_create")(self._on_interaction)
        client.add_event_processor("raw_message_create")(self._on_message)
        client.add_listener(EventListener.create("websocket_ready")(self._on_ready))
        client.add_listener(EventListener.create("resume")(self._on_resume))
        for name in (*PLACES, *THREADS, *ROLES, *MEMBERS):
            client.add_listener(EventListener.create(f"raw_{name}")(self._on_places))
        return client

    def _make_session(self) -> GatewaySession:
        session = GatewaySession(self._client, _intents(self._options), self._shard.id)
        session.starts, session.figures = self._shard.starts, self._figures
        self._client._connection_state = session
        return session

    async def _finish_receiving(self) -> None:
        """Events that arrived just before the end are still acknowledged and handed over.

        A question that is cancelled stays stored for the next process, and this one may go on for weeks.
        """
        if self._receiving:
            await asyncio.wait(self._receiving, timeout=HANDLED_WITHIN)

    def _heartbeat(self) -> float | None:
        """Seconds that the last heartbeat took, inf before the first; None while the connection is lost.

        Only a connection on which READY or RESUMED arrived counts: after a loss the library opens another one
        at once, which receives nothing until then.
        """
        gateway = self._client.ws
        socket = gateway.ws if gateway is not None else None
        if gateway is None or socket is None or socket is not self._session_socket or socket.closed:
            return None
        return gateway.latency

    def _remember_connection(self) -> None:
        gateway = self._client.ws
        self._session_socket = gateway.ws if gateway is not None else None

    async def _on_ready(self, event: WebsocketReady) -> None:
        with Guard(self._log, "bug at the start of a session"):
            self._remember_connection()
            self._figures.identified()
            self._bot_id = int(event.data["user"]["id"])
            seconds = round(time.monotonic() - self._started, 3)
            shard = {} if self._shard.total == 1 else {"shard": f"{self._shard.id}/{self._shard.total}"}
            self._log.info("listening", after=seconds, servers=len(event.data["guilds"]), **shard)
            self._guild_cache.hear("READY", event.data)
            self._refused_calls.forget()  # events that told of permissions may have been missed
            if not self._guild_cache.complete:
                if self._shard.total == 1:
                    self._log.warning("Discord has named no server that the bot is in")
                loop = asyncio.get_running_loop()
                self._unlisted = loop.call_later(UNLISTED_FOR, self._believe_the_list)
            self._note_guilds()
            self._shard.note_begun()

    async def _on_resume(self, _event: Resume) -> None:
        with Guard(self._log, "bug after a session was resumed"):
            self._remember_connection()
            self._figures.resumed()

    async def _on_interaction(self, event: RawGatewayEvent) -> None:
        self._note_receiving()
        await self._handler.interaction(event.data)

    async def _on_message(self, event: RawGatewayEvent) -> None:
        if self._options.respond_to == "mentions":
            self._note_receiving()
            await self._handler.message(event.data, self._bot_id)

    def _note_receiving(self) -> None:
        """The library runs each event in a task of its own."""
        task = asyncio.current_task()
        if task is not None:
            self._receiving.add(task)
            task.add_done_callback(self._receiving.discard)

    async def _on_places(self, event: RawGatewayEvent) -> None:
        name = event.resolved_name.removeprefix("raw_").upper()
        revision, missing = self._guild_cache.revision, self._guild_cache.missing
        guard = Guard(self._log, "bug in an event of the gateway", name=name)
        with self._guards.setdefault(name, guard):
            try:
                self._learn(name, event.data)
            except Malformed as error:
                # Of each kind, one is told in a session: there may be very many.
                self._malformed.note(name, name=name, reason=str(error))
        if self._guild_cache.revision != revision:
            self._note_guilds()
        elif self._guild_cache.missing != missing:
            self._figures.note_servers(len(self._guild_cache.guild_ids), self._guild_cache.missing)

    def _learn(self, name: str, data: Payload) -> None:
        self._guild_cache.hear(name, data)
        if name in {"CHANNEL_UPDATE", "THREAD_UPDATE"}:  # its permissions may be others now
            changed, parent_of = snowflake(data, "id"), self._guild_cache.parent_of
            self._refused_calls.forget(lambda channel: changed in {channel, parent_of(channel)})
        elif name in {"GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE"}:  # and those of the whole server
            self._refused_calls.forget()
        elif name == "GUILD_MEMBER_UPDATE" and snowflake(record(data, "user"), "id") == self._bot_id:
            self._refused_calls.forget()  # it has other roles, or its timeout is over

    def _note_guilds(self) -> None:
        self._figures.note_servers(len(self._guild_cache.guild_ids), self._guild_cache.missing)
        self._shared.backend.note_guilds(self._shared.guilds.listed())

    def _believe_the_list(self) -> None:
        """Take the list of servers as complete: what Discord has not sent by now, it will not send."""
        self._guild_cache.complete = True
        self._note_guilds()


def _unavailable(error: Exception) -> GatewayUnavailable | None:
    """What is told of an error of Discord's REST API, without an address."""
    match error:
        case RestUnavailable():
            return GatewayUnavailable(str(error), error.retry_after)
        case HTTPException():
            return GatewayUnavailable(f"the bot's login was answered {error.status}")
        case OSError() | aiohttp.ClientError():
            return GatewayUnavailable(f"Discord's REST API cannot be reached: {type(error).__name__}")
    return None


def _intents(options: BotOptions) -> Intents:
    """Exactly the intents that the bot needs."""
    if MESSAGE_CONTENT not in privileged(options):
        return Intents.GUILDS
    return Intents.GUILDS | Intents.GUILD_MESSAGES | Intents.DIRECT_MESSAGES | Intents.MESSAGE_CONTENT


def _activity(options: BotOptions) -> Activity | None:
    if not options.presence:
        return None
    if options.presence_kind == "custom":
        return Activity.create(name="custom", type=ActivityType.CUSTOM, state=options.presence)
    return Activity.create(name=options.presence, type=ActivityType[options.presence_kind.upper()])


class GatewayOnlyClient(Client):
    """The library's client, of which only the connection to the gateway is used: it keeps nothing.

    Left alone, the library keeps objects of every server, channel, role and emoji, and starts five tasks for
    each event. With twenty thousand servers that is 300 MB, and 5 ms for each server at the start, in which
    nobody is acknowledged. Here, events go to what `add_listener` and `add_event_processor` have added,
    nowhere else.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.processors.clear()

    def dispatch(self, event: BaseEvent, *arguments: Any, **options: Any) -> None:
        """See the library's. Nobody waits for an event here, so one without listeners is not worth a task."""
        if event.resolved_name in self.listeners:
            super().dispatch(event, *arguments, **options)
