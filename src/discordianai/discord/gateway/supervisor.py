"""Keeps a listener running: begins a session, and after its end the next one, at a growing interval."""

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

import structlog
import trio

from discordianai.discord.bridge import run_asyncio
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.gateway.session_limit import (
    RESERVE,
    GatewayUnavailable,
    IdentifyPacer,
    ListenerRefused,
    SessionEnded,
    StartLimit,
    ask_discord,
)
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import Backend
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.option import Live

if TYPE_CHECKING:
    from discordianai.discord.gateway.listener import Listener

USED_UP = f"the day's identifies are used up, except for a reserve of {RESERVE}"


class GatewaySupervisor:
    """Runs one listener after another. The limits and the known servers outlive them."""

    def __init__(
        self,
        options: Live[BotOptions],
        commands: OfferedCommands,
        admission: Admission,
        api: DiscordApi,
        figures: DiscordCounter,
    ) -> None:
        self._options = options
        self._commands = commands
        self._admission = admission
        self._api = api
        self._figures = figures
        self._guild_cache = GuildCache()
        self._router = InteractionRouter(options, commands, self._guild_cache)

    async def run(self, backend: Backend) -> None:
        """Pass what people do to `backend`, until cancelled. Raises `ListenerRefused`."""
        starts = IdentifyPacer()

        async def listen() -> None:
            # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
            listener = _listener()(
                self._options.now,
                self._commands,
                self._router,
                self._admission,
                self._guild_cache,
                backend,
                self._figures,
                starts,
                self._api.limits,
            )
            await listener.run()

        await keep_listening(listen, partial(ask_discord, self._api), starts, self._figures)


@cache
def _listener() -> "type[Listener]":
    """The listener's class, imported at the first call."""
    gc.disable()  # while everything is new there is nothing to collect: a sixth of the import's time
    try:
        from discordianai.discord.gateway.listener import Listener
    finally:
        gc.enable()
    # What the imports created lives as long as the bot. The garbage collector would scan all of it again and
    # again, for 0.1 s each time, during which nobody is acknowledged. Frozen only once: what listeners leave
    # behind is to be collected.
    gc.freeze()
    return Listener


@dataclass(slots=True)
class _FailureReport:
    """Reports why there is no session: in the figures each time, in the log once for each reason."""

    figures: DiscordCounter
    log: structlog.stdlib.BoundLogger
    logged: set[str] = field(default_factory=set)

    def add(self, reason: str, seconds: float) -> None:
        self.figures.note_wait(reason, seconds)
        seconds = round(seconds, 1)
        if reason in self.logged:
            self.log.debug("trying again", reason=reason, seconds=seconds)
        elif reason == USED_UP:
            self.log.error("too many starts today: waiting until Discord allows more", seconds=seconds)
        else:
            self.log.warning("the listener stopped; starting it again", reason=reason, seconds=seconds)
        self.logged.add(reason)


async def keep_listening(
    listen: Callable[[], Awaitable[None]],
    ask: Callable[[], Awaitable[StartLimit]],
    starts: IdentifyPacer,
    figures: DiscordCounter,
) -> None:
    """Run `listen`, each time for one session, again and again, as fast as Discord allows.

    Ends only by `ListenerRefused` or cancellation.

    `listen` is asyncio code, which calls `starts.note_identify` before each IDENTIFY, and
    `starts.backoff.establish` after READY. `ask` runs on trio, and may raise `GatewayUnavailable`.
    """
    report = _FailureReport(figures, structlog.get_logger("discordianai.discord"))
    while True:
        await trio.sleep(starts.backoff.delay())
        starts.backoff.begin()
        try:
            if wait := starts.allow(await ask()):
                report.add(USED_UP, wait)
                await trio.sleep(wait)
                continue
            await run_asyncio(listen)
            failure: Exception = SessionEnded("the library ended by itself")
        except ListenerRefused:
            raise
        except Exception as error:
            failure = error
        starts.lose(failure)
        if not starts.backoff.failures:
            report.logged.clear()
        report.add(_why(failure, report.log), starts.backoff.delay())


def _why(failure: Exception, log: structlog.stdlib.BoundLogger) -> str:
    """A description of the error that contains nothing received from outside."""
    if isinstance(failure, SessionEnded | GatewayUnavailable):
        return str(failure)
    log.debug("the listener failed", exc_info=failure)
    return type(failure).__name__
