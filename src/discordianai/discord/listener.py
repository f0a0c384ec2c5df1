"""The asyncio side of the front door: hears commands at the gateway, acknowledges them, hands them over.

It takes the library's gateway and REST client, and reads INTERACTION_CREATE itself: the library's own
command framework is deaf until its start-up is done, calls Discord before a command in a direct message runs,
and logs what people wrote.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import structlog
from interactions import Client, Intents
from interactions.api.events import RawGatewayEvent, Resume, WebsocketReady
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException, LoginError, WebSocketClosed
from interactions.models.internal.listener import Listener as EventListener

from discordianai.discord.commands import synchronise
from discordianai.discord.figures import DiscordFigures, Unacknowledged
from discordianai.discord.gate import Gate, Refusal, Withdrawal
from discordianai.discord.handover import Protection, TrioSide
from discordianai.discord.interaction import EPHEMERAL, Origin, Payload, parse
from discordianai.discord.rest_limits import ExemptingHTTPClient
from discordianai.discord.session_limit import ListenerRefused, seconds_to_wait
from discordianai.model import Question
from discordianai.settings import Settings

CHANNEL_MESSAGE = 4
DEFERRED_CHANNEL_MESSAGE = 5
DEFERRED_UPDATE = 6
"""The interaction responses that are used here: a message, one that shows that the bot is thinking, and,
after a button, nothing for now."""

ALREADY_ACKNOWLEDGED = 40060
ACKNOWLEDGE_TIMEOUT = 3.0
"""Seconds; Discord's own. It refuses a later acknowledgement."""

REFUSALS = {
    4004: "Discord rejected the bot's token: set DISCORD_TOKEN to a valid one",
    4013: "Discord does not know the intents that the bot asks for: update the bot",
    4014: "Discord refused the bot's intents: switch them on in the developer portal, on the page Bot",
}
"""Close codes of the gateway that no retry gets over."""


class Listener:
    """One run of the library, on an asyncio loop of its own. It is used once."""

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        trio_side: TrioSide,
        figures: DiscordFigures,
    ) -> None:
        self._settings = settings.discord
        self._providers = settings.providers
        self._gate = gate
        self._trio = trio_side
        self._figures = figures
        self._log = structlog.get_logger("discordianai.discord.listener")
        self._started = time.monotonic()
        self._client = self._make_client()
        self._identified = 0

    async def run(self) -> None:
        """Listen until cancelled. Raises `ListenerRefused` when trying again is no use, else whatever failed.

        To return is a failure too: the library ends quietly when it cannot reconnect.
        """
        # A class attribute is where the library keeps it.
        Route.BASE = self._settings.api_url
        token = self._settings.token
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
            intents=Intents.GUILDS,
            sync_interactions=False,
            send_command_tracebacks=False,
            send_not_ready_messages=False,
            logger=logger,
        )
        client.http = ExemptingHTTPClient(logger=logger)
        client.add_event_processor("raw_interaction_create")(self._on_interaction)
        client.add_listener(EventListener.create("websocket_ready")(self._on_ready))
        client.add_listener(EventListener.create("resume")(self._on_resume))
        return client

    def _is_connected(self) -> bool:
        gateway = self._client.ws
        return gateway is not None and gateway.ws is not None and not gateway.ws.closed

    async def _synchronise(self) -> None:
        try:
            await synchronise(self._client, self._settings.guild_ids, self._providers)
        except (HTTPException, aiohttp.ClientError, OSError) as error:
            self._log.error("commands could not be registered", reason=type(error).__name__)

    async def _on_ready(self, event: WebsocketReady) -> None:
        self._identified += 1
        self._figures.identified()
        seconds = round(time.monotonic() - self._started, 3)
        self._log.info("listening", after=seconds, servers=len(event.data["guilds"]))
        # The library identifies again by itself, and does not look at how often it may.
        if self._identified > 1 and seconds_to_wait(await self._client.http.get_gateway_bot()):
            await self._client.stop()

    async def _on_resume(self, _event: Resume) -> None:
        self._figures.resumed()

    async def _on_interaction(self, event: RawGatewayEvent) -> None:
        try:
            await self._take(event.data)
        except Exception:
            self._log.exception("an interaction could not be handled")

    async def _take(self, payload: Payload) -> None:
        done = parse(payload)
        if done is None:
            return
        decision = self._gate.decide(done)
        self._figures.decided(type(decision).__name__.lower())
        if isinstance(decision, Refusal):
            await self._respond(done.origin, CHANNEL_MESSAGE, EPHEMERAL, content=decision.reason)
        elif isinstance(decision, Withdrawal):
            self._trio.hand_over(decision)  # at once: what it stops costs money
            await self._respond(done.origin, DEFERRED_UPDATE, 0)
        else:
            await self._take_question(done.origin, decision)

    async def _take_question(self, origin: Origin, question: Question) -> None:
        """First stored, then acknowledged, then handed over."""
        structlog.contextvars.bind_contextvars(question=question.number)  # each event has a task of its own
        handed_over = False
        try:
            protection = await self._trio.protect(question)
            if protection is Protection.REPLAYED:
                return
            question = replace(question, protected=protection is Protection.STORED)
            flags = EPHEMERAL if question.address.private else 0
            if await self._respond(origin, DEFERRED_CHANNEL_MESSAGE, flags):
                self._trio.hand_over(question)
                handed_over = True
            else:
                await self._trio.forget(question)
        finally:
            if not handed_over:
                self._trio.release(question.person.id)

    async def _respond(self, origin: Origin, kind: int, flags: int, **message: str) -> bool:
        """Answer the interaction itself; whether Discord took it in time."""
        data: Mapping[str, Any] = {"flags": flags, "allowed_mentions": {"parse": []}, **message}
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
                await self._client.http.post_initial_response(
                    {"type": kind, "data": data}, str(origin.interaction_id), origin.token
                )
        except HTTPException as error:
            if error.code == ALREADY_ACKNOWLEDGED:  # a retry of one that had arrived
                return True
            reason = f"Discord answered {error.status}, code {error.code}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = type(error).__name__
        else:
            seconds = time.monotonic() - origin.arrived_at
            self._figures.acknowledged(seconds)
            self._log.debug("acknowledged", seconds=round(seconds, 3))
            return True
        late = time.monotonic() - origin.arrived_at >= ACKNOWLEDGE_TIMEOUT
        self._figures.refused(Unacknowledged.LATE if late else Unacknowledged.FAILED)
        self._log.warning("an interaction was not acknowledged", reason=reason)
        return False


def _refusal(error: BaseException | None) -> str | None:
    """What the operator must change, if that is why Discord refused; the library hides it in the context."""
    if isinstance(error, LoginError):
        return REFUSALS[4004]
    if isinstance(error, WebSocketClosed):
        return REFUSALS.get(error.code)
    return _refusal(error.__context__) if error is not None else None
