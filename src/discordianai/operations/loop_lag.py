"""Measures how late trio's loop is, with a task that sleeps and compares the time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import trio

from discordianai.guard import Guard
from discordianai.metric import Latencies

BEAT = 0.25
"""Seconds between two readings."""

KEPT = 240
"""A minute of them."""


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Latencies]:
    """Measure while the block runs."""
    lag = Latencies(KEPT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, lag)
        yield lag
        nursery.cancel_scope.cancel()


async def _beat(lag: Latencies) -> None:
    guard = Guard(structlog.get_logger("discordianai.operations.loop_lag"), "bug in the loop lag measurement")
    while True:
        due = trio.current_time() + BEAT
        await trio.sleep_until(due)
        with guard:
            lag.note(max(trio.current_time() - due, 0.0))
