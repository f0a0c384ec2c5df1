"""Keeps a listener running: begins a session, and the next one when it is over, ever more slowly."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
import trio

from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway.bridge import run_asyncio
from discordianai.discord.gateway.session_limit import (
    RESERVE,
    GatewayUnavailable,
    ListenerRefused,
    SessionEnded,
    SessionStarts,
    StartLimit,
)

USED_UP = f"the day's identifies are used up, but for the last {RESERVE}, which are kept"


@dataclass(slots=True)
class _Outage:
    """Tells what keeps the gateway away: in the figures each time, in the log once for each reason."""

    figures: DiscordCounter
    log: structlog.stdlib.BoundLogger
    told: set[str] = field(default_factory=set)

    def tell(self, reason: str, seconds: float) -> None:
        self.figures.wait(reason, seconds)
        seconds = round(seconds, 1)
        if reason in self.told:
            self.log.debug("trying again", reason=reason, seconds=seconds)
        elif reason == USED_UP:
            self.log.error("too many starts today: waiting until Discord allows more", seconds=seconds)
        else:
            self.log.warning("the listener stopped; starting it again", reason=reason, seconds=seconds)
        self.told.add(reason)


async def keep_listening(
    listen: Callable[[], Awaitable[None]],
    ask: Callable[[], Awaitable[StartLimit]],
    starts: SessionStarts,
    figures: DiscordCounter,
) -> None:
    """Run `listen`, which begins one session, again and again, at a pace that Discord allows.

    Ends only by `ListenerRefused` or cancellation.

    `listen` is asyncio code, which calls `starts.identify` before it identifies, and
    `starts.backoff.establish` when it has; `ask` is trio's, and may raise `GatewayUnavailable`.
    """
    outage = _Outage(figures, structlog.get_logger("discordianai.discord"))
    while True:
        await trio.sleep(starts.backoff.wait())
        starts.backoff.begin()
        try:
            if wait := starts.allow(await ask()):
                outage.tell(USED_UP, wait)
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
            outage.told.clear()
        outage.tell(_why(failure, outage.log), starts.backoff.wait())


def _why(failure: Exception, log: structlog.stdlib.BoundLogger) -> str:
    """What happened, in words that carry nothing of what came from outside."""
    if isinstance(failure, SessionEnded | GatewayUnavailable):
        return str(failure)
    log.debug("the listener failed", exc_info=failure)
    return type(failure).__name__
