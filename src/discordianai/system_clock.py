"""The system clock compared with the monotonic clock since boot."""

import time
from dataclasses import dataclass
from pathlib import Path

NOISE = 1.0
"""Seconds by which two readings may differ although nobody set the clock."""

EARLIEST = 1_767_225_600.0
"""The beginning of 2026. This program is younger, so that a clock before it is wrong: a machine without a
battery boots with 1970."""

IMPOSSIBLE_AGE = 5 * 365 * 86_400.0
"""Seconds. Nothing that this program has stored is that old: the machine has started with a wrong clock, a
decade ahead for example."""


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
