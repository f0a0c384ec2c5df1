"""Keeps a listener running: starts it, and starts it again when it fails, ever more slowly."""

import random
from collections.abc import Awaitable, Callable

import structlog
import trio

from discordianai.discord.bridge import run_asyncio
from discordianai.discord.session_limit import GatewayUnavailable, ListenerRefused

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
HEALTHY_AFTER = 600.0
"""Seconds of listening after which the pauses begin small again."""


class Backoff:
    """Pauses that double with every failure, with jitter: many bots do not return as one."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._failures = 0

    def reset(self) -> None:
        """Begin small again."""
        self._failures = 0

    def pause(self) -> float:
        """Seconds to wait after one more failure: between half the step and the whole of it."""
        step = min(SHORTEST_PAUSE * 2.0 ** min(self._failures, 16), LONGEST_PAUSE)
        self._failures += 1
        return max(SHORTEST_PAUSE, step * self._chance.uniform(0.5, 1.0))


async def keep_listening(
    listen: Callable[[], Awaitable[None]],
    seconds_until_allowed: Callable[[], Awaitable[float]],
    backoff: Backoff | None = None,
) -> None:
    """Run `listen` again and again, whenever Discord allows it.

    Ends only by `ListenerRefused` or cancellation.

    `listen` is asyncio code; `seconds_until_allowed` is trio's, and may raise `GatewayUnavailable`.
    """
    log = structlog.get_logger("discordianai.discord")
    backoff = backoff or Backoff()
    while True:
        started = trio.current_time()
        try:
            if wait := await seconds_until_allowed():
                log.error("too many starts today: waiting until Discord allows more", seconds=round(wait))
                await trio.sleep(wait)
                continue
            started = trio.current_time()
            await run_asyncio(listen)
            reason = "it ended by itself"
        except ListenerRefused:
            raise
        except GatewayUnavailable as error:
            reason = str(error)
        except Exception as error:
            reason = type(error).__name__
            log.debug("the listener failed", exc_info=True)
        if trio.current_time() - started >= HEALTHY_AFTER:
            backoff.reset()
        pause = backoff.pause()
        log.warning("the listener stopped; starting it again", reason=reason, seconds=round(pause, 1))
        await trio.sleep(pause)
