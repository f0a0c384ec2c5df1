"""The asyncio side of the front door: one run of the library, connected to the gateway.

It takes the library's gateway and REST client, and reads what people do itself: the library's own command
framework is deaf until its start-up is done, calls Discord before a command in a direct message runs, and
logs what people wrote.
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

from discordianai.discord.atlas import Atlas
from discordianai.discord.catalogue import entries
from discordianai.discord.commands import synchronise
from discordianai.discord.figures import DiscordFigures
from discordianai.discord.gate import Gate
from discordianai.discord.handover import Servers, TrioSide
from discordianai.discord.intents import GRANT_IT, MESSAGE_CONTENT, privileged
from discordianai.discord.reception import Reception
from discordianai.discord.rest_limits import ExemptingHTTPClient
from discordianai.discord.session_limit import ListenerRefused, seconds_to_wait
from discordianai.guard import Guard
from discordianai.settings import DiscordSettings, Settings

PLACES = ("guild_create", "guild_delete", "channel_create", "channel_update", "channel_delete")
THREADS = ("thread_create", "thread_update", "thread_delete", "thread_list_sync")
"""Events from which the atlas learns."""

REFUSALS = {
    4004: "Discord rejected the bot's token: set DISCORD_TOKEN to a valid one",
    4013: "Discord does not know the intents that the bot asks for: update the bot",
    4014: f"Discord refused the bot's intents: {GRANT_IT}",
}
"""Close codes of the gateway that no retry gets over."""


class Listener:
    """One run of the library, on an asyncio loop of its own. It is used once."""

    def __init__(
        self, settings: Settings, gate: Gate, atlas: Atlas, trio_side: TrioSide, figures: DiscordFigures
    ) -> None:
        self._settings = settings
        self._atlas = atlas
        self._trio = trio_side
        self._figures = figures
        self._log = structlog.get_logger("discordianai.discord.listener")
        self._started = time.monotonic()
        self._client = self._make_client()
        self._reception = Reception(self._client.http, gate, trio_side, figures)
        self._identified = 0
        self._bot_id = 0
        self._session_socket: object = None

    async def run(self) -> None:
        """Listen until cancelled. Raises `ListenerRefused` when trying again is no use, else whatever failed.

        To return is a failure too: the library ends quietly when it cannot reconnect.
        """
        # A class attribute is where the library keeps it.
        Route.BASE = self._settings.discord.api_url
        token = self._settings.discord.token
        synchronising: asyncio.Task[None] | None = None
        watching = asyncio.create_task(self._figures.watch(self._is_connected))
        try:
            await self._client.login(token.get_secret_value() if token else "")
            # Meanwhile the gateway connects: commands that Discord knows already work as soon as it has.
            synchronising = asyncio.create_task(self._synchronise())
            await self._client.start_gateway()
        except Exception as error:
            if sentence := _refusal(error):
                raise ListenerRefused(sentence) from None
            raise
        finally:
            watching.cancel()
            if synchronising is not None:
                synchronising.cancel()
            await self._client.http.close()

    def _make_client(self) -> Client:
        logger = logging.getLogger("interactions")
        client = Client(
            intents=_intents(self._settings.discord),
            activity=_activity(self._settings.discord),  # type: ignore[arg-type]  # None is its own default
            status=Status(self._settings.discord.status),
            sync_interactions=False,
            send_command_tracebacks=False,
            send_not_ready_messages=False,
            logger=logger,
        )
        client.http = ExemptingHTTPClient(logger=logger)
        client.add_event_processor("raw_interaction_create")(self._on_interaction)
        client.add_event_processor("raw_message_create")(self._on_message)
        client.add_listener(EventListener.create("websocket_ready")(self._on_ready))
        client.add_listener(EventListener.create("resume")(self._on_resume))
        for name in (*PLACES, *THREADS):
            client.add_listener(EventListener.create(f"raw_{name}")(self._on_places))
        return client

    def _is_connected(self) -> bool:
        """Whether the connection on which the session began, or was gone on with, is open.

        After a loss the library has another one at once, on which it hears nothing until Discord knows it.
        """
        gateway = self._client.ws
        socket = gateway.ws if gateway is not None else None
        return socket is not None and socket is self._session_socket and not socket.closed

    def _remember_connection(self) -> None:
        gateway = self._client.ws
        self._session_socket = gateway.ws if gateway is not None else None

    async def _synchronise(self) -> None:
        configured = self._settings.configured
        models = [model for each in configured for model in self._settings.models_of(each.name)]
        wanted = entries(configured, several_models=len(models) > 1)
        try:
            await synchronise(self._client, self._settings.discord.guild_ids, wanted)
        except (HTTPException, aiohttp.ClientError, OSError) as error:
            self._log.error("commands could not be registered", reason=type(error).__name__)

    async def _on_ready(self, event: WebsocketReady) -> None:
        self._identified += 1
        self._remember_connection()
        self._figures.identified()
        self._bot_id = int(event.data["user"]["id"])
        seconds = round(time.monotonic() - self._started, 3)
        self._log.info("listening", after=seconds, servers=len(event.data["guilds"]))
        self._atlas.hear("READY", event.data)
        self._trio.hand_over(Servers(frozenset(self._atlas.guild_ids)))
        # The library identifies again by itself, and does not look at how often it may.
        if self._identified > 1 and seconds_to_wait(await self._client.http.get_gateway_bot()):
            await self._client.stop()

    async def _on_resume(self, _event: Resume) -> None:
        self._remember_connection()
        self._figures.resumed()

    async def _on_interaction(self, event: RawGatewayEvent) -> None:
        await self._reception.interaction(event.data)

    async def _on_message(self, event: RawGatewayEvent) -> None:
        if self._settings.discord.respond_to == "mentions":
            await self._reception.message(event.data, self._bot_id)

    async def _on_places(self, event: RawGatewayEvent) -> None:
        name, known = event.resolved_name.removeprefix("raw_").upper(), self._atlas.guild_ids.copy()
        with Guard(self._log, "an event of the gateway could not be read", name=name):
            self._atlas.hear(name, event.data)
        if self._atlas.guild_ids != known:
            self._trio.hand_over(Servers(frozenset(self._atlas.guild_ids)))


def _intents(settings: DiscordSettings) -> Intents:
    """Only what is needed."""
    if MESSAGE_CONTENT not in privileged(settings):
        return Intents.GUILDS
    return Intents.GUILDS | Intents.GUILD_MESSAGES | Intents.DIRECT_MESSAGES | Intents.MESSAGE_CONTENT


def _activity(settings: DiscordSettings) -> Activity | None:
    if not settings.presence:
        return None
    if settings.presence_kind == "custom":
        return Activity.create(name="custom", type=ActivityType.CUSTOM, state=settings.presence)
    return Activity.create(name=settings.presence, type=ActivityType[settings.presence_kind.upper()])


def _refusal(error: BaseException | None) -> str | None:
    """What the operator must change, if that is why Discord refused; the library hides it in the context."""
    if isinstance(error, LoginError):
        return REFUSALS[4004]
    if isinstance(error, WebSocketClosed):
        return REFUSALS.get(error.code)
    return _refusal(error.__context__) if error is not None else None
