"""What a process takes, from /proc: memory, descriptors, processor."""

import os
import statistics
from dataclasses import dataclass, field
from pathlib import Path

import trio

EVERY = 10.0
"""Seconds between two samples."""


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory. Raises `OSError` where there is no such process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no VmRSS in /proc/{pid}/status")


def processor_seconds(pid: int, thread: int | None = None) -> float:
    """What it has computed so far, in user and kernel; or one of its threads. See proc(5)."""
    stat = Path(f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat")
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    """Descriptors: sockets, files, pipes."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@dataclass(frozen=True, slots=True)
class Trend:
    """A figure's median early on, when all is warm, and at the end."""

    early: float
    late: float

    @property
    def ratio(self) -> float:
        """1 is flat."""
        return self.late / self.early


@dataclass
class Samples:
    """Of one process, every `EVERY` seconds."""

    pid: int
    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)

    async def take(self) -> None:
        """Sample until cancelled."""
        while True:
            self.memory.append(resident_mb(self.pid))
            self.files.append(open_files(self.pid))
            await trio.sleep(EVERY)


def trend(samples: list[float]) -> Trend:
    """Of thirty minutes: minutes five to ten beside the last five. Shorter runs in proportion."""
    sixth = max(len(samples) // 6, 1)
    early, late = samples[sixth : 2 * sixth] or samples, samples[-sixth:]
    return Trend(statistics.median(early), statistics.median(late))
