"""The system clock, and the time of day that a jump of it must not move.

If the clock were set an hour ahead, everything would expire an hour too early; if it were set back, limits
would last an hour too long. So after a jump, `SteadyClock` continues as before, by the clock that counts
since the boot. A new time that lasts is adopted after a while: the machine may have booted with a wrong one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

NOISE = 1.0
"""Seconds by which two readings may differ although nobody set the clock."""


def since_boot() -> float:
    """Seconds since boot, including time asleep; nobody can set this clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How the system clock stood at a moment: `offset` seconds ahead of `since_boot`, since the boot `boot`.

    Stored beside a time, it lets a later process tell how old that is, however the clock was set meanwhile.
    """

    boot: str
    offset: float

    @classmethod
    def now(cls) -> "ClockReading":
        """This moment's. `boot` is empty where the system does not tell."""
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:
            boot = ""
        return cls(boot, time.time() - since_boot())

    def shift_to(self, now: "ClockReading") -> float:
        """Seconds by which the clock was set ahead until `now`; 0 where another boot lies between."""
        if not self.boot or self.boot != now.boot:
            return 0.0
        shift = now.offset - self.offset
        return shift if abs(shift) > NOISE else 0.0


TOLERANCE = 60.0
"""Seconds. Smaller steps, such as regular corrections, are followed at once."""

TAKEN_OVER_AFTER = 30 * 60.0
"""Seconds that a new time must have lasted. An interaction, the shortest-lived of what is stored, lasts 15
minutes."""


class SteadyClock:
    """A callable that returns seconds since the epoch; thread-safe.

    The first call after a jump notices it; its beginning and its end are logged.
    """

    def __init__(
        self, system: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot
    ) -> None:
        self._system = system
        self._steady = steady
        self._offset = system() - steady()
        self._jumped_at: float | None = None
        self._jump = 0.0
        self._log = structlog.get_logger("discordianai.clock")

    @property
    def jump(self) -> float:
        """Seconds that the system clock is ahead of this one since a jump; 0 while there is none."""
        self()
        return self._jump

    def __call__(self) -> float:
        steady = self._steady()
        offset = self._system() - steady
        jump = offset - self._offset
        if abs(jump) <= TOLERANCE:
            self._follow(offset)
        elif self._jumped_at is None or abs(jump - self._jump) > TOLERANCE:
            self._jumped_at, self._jump = steady, jump
            self._log.warning("system clock jumped: new time not used yet", seconds=round(jump))
        elif steady - self._jumped_at >= TAKEN_OVER_AFTER:
            self._log.warning("system clock's new time now in use", seconds=round(jump))
            self._offset, self._jumped_at, self._jump = offset, None, 0.0
        return steady + self._offset

    def _follow(self, offset: float) -> None:
        if self._jumped_at is not None:
            self._log.info("system clock corrected", seconds=round(-self._jump))
            self._jumped_at, self._jump = None, 0.0
        self._offset = offset
