"""What both of the Discord benchmarks measure with: a process's CPU, percentiles, the table."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")

Settings = Mapping[str, Mapping[str, object]]
"""Changed keys for each table of the bot's settings."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds that a process has used up to now, and its first thread alone; the bot's runs trio."""

    process: float
    first_thread: float

    @classmethod
    def of(cls, pid: int) -> "Cpu":
        """Those of a running process."""
        return cls(_seconds(Path(f"/proc/{pid}/stat")), _seconds(Path(f"/proc/{pid}/task/{pid}/stat")))

    def since(self, earlier: "Cpu") -> "Cpu":
        """What came in between."""
        return Cpu(self.process - earlier.process, self.first_thread - earlier.first_thread)


def _seconds(stat: Path) -> float:
    """User and system time; see proc(5), whose second field may have spaces in it."""
    fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def percentile(values: list[float], part: float) -> float:
    """The smallest value that is at least as large as so many of them; `part` is from 0 to 1."""
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]


def row(*cells: object) -> None:
    """One line of a table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def heading(*cells: str) -> None:
    """The first two lines of a table."""
    print()
    row(*cells)
    row(*("---" for _ in cells))


def busy() -> str:
    """How loaded the machine is: the mean number of running tasks of the last minute."""
    return f"{os.getloadavg()[0]:.2f}"
