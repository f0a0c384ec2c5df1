"""Work that is done again and again."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from discordianai.guard import Guard

AFTER_A_BUG = 1.0
"""Seconds until the next round, at least."""


async def repeat(work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Run until cancelled. After a round with a bug the next one follows, after at least a second."""
    guard = Guard(structlog.get_logger("discordianai.conversations"), "bug in the store's maintenance")
    while True:
        with guard:
            await work()
        await trio.sleep(max(pause, AFTER_A_BUG) if guard.failed else pause)
