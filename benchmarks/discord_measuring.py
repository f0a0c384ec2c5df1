"""What both of the Discord benchmarks measure with: a process's CPU, the table."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.process_figures import processor_seconds

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
        return cls(processor_seconds(pid), processor_seconds(pid, thread=pid))

    def since(self, earlier: "Cpu") -> "Cpu":
        """What came in between."""
        return Cpu(self.process - earlier.process, self.first_thread - earlier.first_thread)


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
