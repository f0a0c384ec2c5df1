"""The parts that must respond for the watchdog to be notified, besides trio's loop, which notifies it."""

from collections.abc import Callable

from discordianai.operations.snapshot import Snapshot
from discordianai.operations.watchdog import LONGEST_PAUSE, NotAnswering, Probe

LONGEST_COMMIT = 30.0
"""Seconds. A slow disk takes one for a transaction; another program may hold the file for some."""


def probes(read: Callable[[], Snapshot], watchdog_seconds: float | None) -> tuple[Probe, ...]:
    """The Discord loop, at most a third of the watchdog's interval late, and the store's writer."""
    longest_silence = min((watchdog_seconds or 3 * LONGEST_PAUSE) / 3, LONGEST_PAUSE)

    async def discord_loop() -> None:
        if (overdue := read().discord.overdue) > longest_silence:
            raise NotAnswering(f"its turn is {overdue:.1f} s late")

    async def writer() -> None:
        if (seconds := read().store.committing) > LONGEST_COMMIT:
            raise NotAnswering(f"it has been writing for {seconds:.0f} s")

    return Probe("the Discord loop", discord_loop), Probe("the store", writer)
