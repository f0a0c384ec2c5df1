"""The asyncio side of the gateway: one run of the library, connected to the gateway.

It uses the library's gateway and REST client, but reads interactions itself: the library's command framework
ignores them until its start-up is done, calls Discord before a command in a direct message runs, and logs
what people wrote.
"""

import asyncio
import logging
import time

import aiohttp
import structlog
from interactions import Activity, ActivityType, Client, Intents, Status
from interactions.api.events import RawGatewayEvent, Resume, WebsocketReady
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException, LoginError, WebSocketClosed
from interactions.models.internal.listener import Listener as EventListener

from discordianai.discord.commands.registration import synchronise
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.payload import snowflake
from discordianai.discord.gateway.http_client import (
    ListenerHTTPClient,
    RefusalsAtDebug,
    RestUnavailable,
)
from discordianai.discord.gateway.intents import GRANT_IT, MESSAGE_CONTENT, privileged
from discordianai.discord.gateway.session import GatewaySession
from discordianai.discord.gateway.session_limit import (
    WRONG_TOKEN,
    GatewayUnavailable,
    IdentifyPacer,
    ListenerRefused,
)
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.handler import HANDLED_WITHIN, InteractionHandler
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.options import BotOptions
from discordianai.guard import Guard

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

UNLISTED_FOR = 3600.0
"""Seconds for which a READY that names no server is not taken to mean that the bot has left them all."""

REFUSALS = {
    4004: WRONG_TOKEN,
    4010: "Discord does not know the shard that the bot asks for: update the bot",
    4011: "the bot is in too many servers for the one shard that it has: remove it from some",
    4012: "Discord no longer supports the gateway version that the bot uses: update the bot",
    4013: "Discord does not know the intents that the bot asks for: update the bot",
    4014: f"Discord refused the bot's intents: {GRANT_IT}",
}
"""Close codes of the gateway after which no retry helps."""


class Listener:
    """One run of the library, on an asyncio loop of its own, for one session. Not reusable."""

    def __init__(
        self,
        options: BotOptions,
        commands: OfferedCommands,
        router: InteractionRouter,
        admission: Admission,
        guild_cache: GuildCache,
        backend: Backend,
        figures: DiscordCounter,
        starts: IdentifyPacer,
        limits: ApplicationLimits,
    ) -> None:
        self._options = options
        self._limits = limits
        self._commands = commands
        self._guild_cache = guild_cache
        self._backend = backend
        self._figures = figures
        self._log = structlog.get_logger("discordianai.discord.gateway.listener")
        self._started = time.monotonic()
        self._client = self._make_client()
        self._session = self._make_session(starts)
        self._handler = InteractionHandler(self._client.http, router, admission, backend, figures)
        self._receiving: set[asyncio.Task[None]] = set()
        self._bot_id = 0
        self._session_socket: object = None
        self._unlisted: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Listen until cancelled.

        Raises `ListenerRefused` where only the operator can help, `SessionEnded` where a new session is
        needed, `GatewayUnavailable` where REST held it up, else whatever failed.
        """
        # A class attribute is where the library keeps it.
        Route.BASE = self._options.api_url
        synchronising: asyncio.Task[None] | None = None
        watching = asyncio.create_task(self._figures.watch(self._is_connected))
        try:
            await self._client.login(self._options.token_text)
            # Meanwhile the gateway connects: commands that Discord knows already work as soon as it has.
            synchronising = asyncio.create_task(self._synchronise())
            try:
                await self._session.start()
            finally:
                await self._finish_receiving()
        except Exception as error:
            if sentence := _refusal(error):
                raise ListenerRefused(sentence) from None
            if isinstance(error, RestUnavailable):
                raise GatewayUnavailable(str(error), error.retry_after) from None
            raise
        finally:
            watching.cancel()
            if self._unlisted is not None:
                self._unlisted.cancel()
            if synchronising is not None:
                synchronising.cancel()
            await self._client.http.close()

    def _make_client(self) -> Client:
        logger = logging.getLogger("interactions")
        client = Client(
            intents=_intents(self._options),
            activity=_activity(self._options),  # type: ignore[arg-type]  # None is its own default
            status=Status(self._options.status),
            sync_interactions=False,
            send_command_tracebacks=False,
            send_not_ready_messages=False,
            logger=logger,
        )
        client.http = ListenerHTTPClient(self._limits, logger=RefusalsAtDebug(logger))
        client.add_event_processor("raw_interaction_create")(self._on_interaction)
        client.add_event_processor("raw_message_create")(self._on_message)
        client.add_listener(EventListener.create("websocket_ready")(self._on_ready))
        client.add_listener(EventListener.create("resume")(self._on_resume))
        for name in (*PLACES, *THREADS, *ROLES):
            client.add_listener(EventListener.create(f"raw_{name}")(self._on_places))
        return client

    def _make_session(self, starts: IdentifyPacer) -> GatewaySession:
        session = GatewaySession(self._client, _intents(self._options), 0)
        session.starts, session.figures = starts, self._figures
        self._client._connection_state = session
        return session

    async def _finish_receiving(self) -> None:
        """Events that arrived just before the end are still acknowledged and handed over.

        A question that is cancelled stays stored for the next process, and this one may go on for weeks.
        """
        if self._receiving:
            await asyncio.wait(self._receiving, timeout=HANDLED_WITHIN)

    def _is_connected(self) -> bool:
        """Whether the connection on which the session began, or was resumed, is open.

        After a loss the library opens another one at once, which receives nothing until READY or RESUMED.
        """
        gateway = self._client.ws
        socket = gateway.ws if gateway is not None else None
        return socket is not None and socket is self._session_socket and not socket.closed

    def _remember_connection(self) -> None:
        gateway = self._client.ws
        self._session_socket = gateway.ws if gateway is not None else None

    async def _synchronise(self) -> None:
        try:
            await synchronise(self._client, self._options, self._commands)
        except (HTTPException, aiohttp.ClientError, OSError) as error:
            self._log.error("commands could not be registered", reason=type(error).__name__)

    async def _on_ready(self, event: WebsocketReady) -> None:
        self._remember_connection()
        self._figures.identified()
        self._bot_id = int(event.data["user"]["id"])
        seconds = round(time.monotonic() - self._started, 3)
        self._log.info("listening", after=seconds, servers=len(event.data["guilds"]))
        self._guild_cache.hear("READY", event.data)
        self._limits.forget_refusals()  # events that told of other permissions may have been missed
        if not self._guild_cache.complete:
            self._log.warning("Discord has named no server that the bot is in")
            self._unlisted = asyncio.get_running_loop().call_later(UNLISTED_FOR, self._believe_the_list)
        self._note_guilds()

    async def _on_resume(self, _event: Resume) -> None:
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
        name, known = event.resolved_name.removeprefix("raw_").upper(), self._guild_cache.guild_ids.copy()
        missing = self._guild_cache.missing
        with Guard(self._log, "an event of the gateway could not be read", name=name):
            self._guild_cache.hear(name, event.data)
            if name in {"CHANNEL_UPDATE", "THREAD_UPDATE"}:  # its permissions may be others now
                self._limits.forget_refusals(snowflake(event.data, "id"))
            elif name == "GUILD_ROLE_UPDATE":  # and those of the whole server
                self._limits.forget_refusals()
        if self._guild_cache.guild_ids != known:
            self._note_guilds()
        elif self._guild_cache.missing != missing:
            self._figures.note_servers(len(known), self._guild_cache.missing)

    def _note_guilds(self) -> None:
        known = self._guild_cache
        self._figures.note_servers(len(known.guild_ids), known.missing)
        self._backend.note_guilds(frozenset(known.guild_ids), complete=known.complete)

    def _believe_the_list(self) -> None:
        """Take the list of servers as complete: what Discord has not sent by now, it will not send."""
        self._guild_cache.complete = True
        self._note_guilds()


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


def _refusal(error: BaseException | None) -> str | None:
    """What the operator must change, if that is why Discord refused; the library has it in the context."""
    if isinstance(error, LoginError):
        return REFUSALS[4004]
    if isinstance(error, WebSocketClosed):
        return REFUSALS.get(error.code)
    return _refusal(error.__context__) if error is not None else None
