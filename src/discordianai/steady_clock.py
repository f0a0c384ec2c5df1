"""The time of day, for deadlines and days that a jump of the system clock must not move.

If the clock were set an hour ahead, everything would expire an hour too early; if it were set back, limits
would last an hour too long. So after a jump, time continues here as before, by the clock that counts since
the boot. A new time that lasts is adopted after a while: the machine may have booted with a wrong one.
"""

import time
from collections.abc import Callable

import structlog

from discordianai.system_clock import EARLIEST, since_boot

TOLERANCE = 60.0
"""Seconds. Smaller steps, such as regular corrections, are followed at once."""

TAKEN_OVER_AFTER = 30 * 60.0
"""Seconds that a new time must have lasted. An interaction, the shortest-lived of what is stored, lasts 15
minutes."""

FURTHEST = 5 * 365 * 86_400.0
"""Seconds. A new time further ahead is not adopted: everything that is stored would expire, for ever."""


class SteadyClock:
    """A callable that returns seconds since the epoch; thread-safe.

    The first call after a jump notices it; its beginning and its end are logged. Those of a clock that is set
    again and again are logged once in `TAKEN_OVER_AFTER`.
    """

    def __init__(
        self, system: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot
    ) -> None:
        self._system = system
        self._steady = steady
        self._offset = system() - steady()
        self._jumped_at: float | None = None
        self._jump = 0.0
        self._told = False
        self._told_at = -TAKEN_OVER_AFTER
        self._log = structlog.get_logger("discordianai.steady_clock")

    @property
    def jump(self) -> float:
        """Seconds that the system clock is ahead of this one since a jump; 0 while there is none."""
        self()
        return self._jump

    def __call__(self) -> float:
        steady = self._steady()
        offset = self._system() - steady
        jump, jumped_at = offset - self._offset, self._jumped_at  # another thread may end a jump meanwhile
        if abs(jump) <= TOLERANCE:
            self._follow(offset)
        elif steady + self._offset < EARLIEST <= steady + offset:
            self._adopt(offset, jump)
        elif jumped_at is None or abs(jump - self._jump) > TOLERANCE:
            self._jumped_at, self._jump = steady, jump
            self._tell_of_jump(steady)
        elif steady - jumped_at >= TAKEN_OVER_AFTER and self._may_adopt(steady + offset, jump):
            self._adopt(offset, jump)
        return steady + self._offset

    def _may_adopt(self, new: float, jump: float) -> bool:
        return jump <= FURTHEST and (new >= EARLIEST or new - jump < EARLIEST)

    def _adopt(self, offset: float, jump: float) -> None:
        self._log.warning("system clock's new time now in use", seconds=round(jump))
        self._offset, self._jumped_at, self._jump, self._told = offset, None, 0.0, False

    def _tell_of_jump(self, steady: float) -> None:
        log = self._log.debug
        if steady - self._told_at >= TAKEN_OVER_AFTER:
            self._told, self._told_at, log = True, steady, self._log.warning
        log("system clock jumped: new time not used yet", seconds=round(self._jump))

    def _follow(self, offset: float) -> None:
        if self._jumped_at is not None:
            log = self._log.info if self._told else self._log.debug
            log("system clock corrected", seconds=round(-self._jump))
            self._jumped_at, self._jump, self._told = None, 0.0, False
        self._offset = offset
