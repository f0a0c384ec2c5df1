"""Notifies systemd's watchdog only while all parts of the bot respond.

The feeding is a trio task, so that a blocked trio feeds nothing: trio needs no probe. Everything else is
asked: in each round all probes at once, each with a deadline. While one does not answer nothing is fed, and
systemd ends the bot after `WatchdogSec=` and starts it anew.

The whole bot runs inside `attended`, so that the drain is watched too. Until `Notifier.ready`, which is due
at the gateway's first READY, each round asks for more time, so that a Discord that is down does not end in a
start timeout.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from discordianai.guard import Guard
from discordianai.operations.snapshot import Snapshot
from discordianai.operations.systemd import Notifier

LONGEST_PAUSE = 10.0
"""Seconds between two rounds, where the watchdog does not ask for more of them."""

MORE_TIME = 45.0
"""Seconds asked for in each round of a start: two rounds at their longest take 40."""


class NotAnswering(Exception):
    """Raised by a probe whose part does not respond; the message says why, and is logged."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A check of one part of the bot.

    `answer` returns when it is, and hangs or raises `NotAnswering` when not; it takes a cancellation.
    `deadline` is in seconds; a round has no longer one than a third of the watchdog's time.
    """

    name: str
    answer: Callable[[], Awaitable[object]]
    deadline: float = LONGEST_PAUSE


@asynccontextmanager
async def attended(
    notifier: Notifier, probes: Sequence[Probe], status: Callable[[], str]
) -> AsyncIterator[None]:
    """Notify the watchdog and update the status line while the block runs.

    `status` is called in each round, on the trio thread: it answers from memory. Without it the watchdog is
    fed all the same.
    """
    async with trio.open_nursery() as nursery:
        if notifier.active:
            nursery.start_soon(_attend, notifier, probes, status)
        yield
        nursery.cancel_scope.cancel()


async def _attend(notifier: Notifier, probes: Sequence[Probe], status: Callable[[], str]) -> None:
    # A pause and a round of probes take at most a third each: two thirds of the time, at the worst.
    pause = min((notifier.watchdog_seconds or 3 * LONGEST_PAUSE) / 3, LONGEST_PAUSE)
    complaints = _Complaints()
    guard = Guard(structlog.get_logger("discordianai.operations.watchdog"), "bug in the status line")
    while True:
        with guard:
            notifier.status(status())
        silent = await unanswered(probes, longest=pause)
        complaints.hear(silent)
        if not silent:
            notifier.watchdog()
            if notifier.starting:
                notifier.extend_timeout(MORE_TIME)
        await trio.sleep(pause)


async def unanswered(probes: Sequence[Probe], longest: float) -> dict[str, str]:
    """Run all probes at once; returns the parts that did not respond, each with the reason.

    No probe has more than `longest` seconds.
    """
    silent: dict[str, str] = {}
    async with trio.open_nursery() as nursery:
        for probe in probes:
            nursery.start_soon(partial(_ask, probe, min(probe.deadline, longest), silent))
    return silent


async def _ask(probe: Probe, deadline: float, silent: dict[str, str]) -> None:
    with trio.move_on_after(deadline) as patience:
        try:
            await probe.answer()
        except NotAnswering as stuck:
            silent[probe.name] = str(stuck)
        except Exception as error:
            # Whatever it is, it must not end the watching. Its text may carry anything.
            silent[probe.name] = f"the question failed: {type(error).__name__}"
    if patience.cancelled_caught:
        silent[probe.name] = f"no answer in {deadline:.3g} s"


class _Complaints:
    """Logs once when a part stops responding, and when it responds again."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("discordianai.operations.watchdog")
        self._silent: set[str] = set()

    def hear(self, silent: dict[str, str]) -> None:
        for name in silent.keys() - self._silent:
            self._log.error("component not responding; watchdog not notified", part=name, reason=silent[name])
        for name in self._silent - silent.keys():
            self._log.info("component responding again", part=name)
        self._silent = set(silent)


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
