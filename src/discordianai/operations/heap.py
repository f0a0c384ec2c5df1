"""Returns freed memory to the operating system.

glibc keeps what is freed between what is still in use: a bot that was busy once would stay as large as it was
then. `malloc_trim` returns the pages of it that are wholly free. Of 50 MB it takes 10 ms, during which other
threads may wait for memory, and 1 ms where there is nothing to return.
"""

import ctypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import trio

from discordianai.guard import Guard

EVERY = 60.0
"""Seconds."""

Trim = Callable[[int], int]
"""`malloc_trim`: keeps so many bytes at the top of the heap; 1 if memory was returned."""


@asynccontextmanager
async def trimmed_heap(every: float = EVERY) -> AsyncIterator[None]:
    """Trim the heap while the block runs, where the C library can."""
    async with trio.open_nursery() as nursery:
        if (trim := _malloc_trim()) is not None:
            nursery.start_soon(_keep_trimming, trim, every)
        yield
        nursery.cancel_scope.cancel()


async def _keep_trimming(trim: Trim, every: float) -> None:
    guard = Guard(structlog.get_logger("discordianai.operations.heap"), "bug while the heap was trimmed")
    while True:
        await trio.sleep(every)
        with guard:
            await trio.to_thread.run_sync(trim, 0)


def _malloc_trim() -> Trim | None:
    """None where there is no glibc."""
    trim: Trim | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
