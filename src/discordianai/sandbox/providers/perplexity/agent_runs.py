"""Perplexity's runs: each question is one, which continues when its client leaves."""

import time
import uuid
from dataclasses import dataclass, field
from enum import Enum, auto

import trio


class RunState(Enum):
    """The state of a run."""

    RUNNING = auto()
    FINISHED = auto()
    CANCELLED = auto()


@dataclass(eq=False)
class Run:
    """One run. Times are `time.monotonic`'s."""

    id: str
    length: float
    """Seconds that the answer takes, from the start; infinite where it stalls."""
    started: float = field(default_factory=time.monotonic)
    finished: float | None = None
    dropped_at: float | None = None
    """When its client left before the end."""
    cancelled_at: float | None = None
    stopped: trio.Event = field(default_factory=trio.Event)
    """Set when it is cancelled, which ends its stream."""

    @property
    def state(self) -> RunState:
        """Without a client, it is finished after its length."""
        if self.cancelled_at is not None:
            return RunState.CANCELLED
        over = self.dropped_at is not None and time.monotonic() >= self.started + self.length
        return RunState.FINISHED if over or self.finished is not None else RunState.RUNNING

    def cancel(self) -> None:
        """Cancel it, and end its stream."""
        self.cancelled_at = time.monotonic()
        self.stopped.set()


class Runs:
    """The runs of a service."""

    def __init__(self) -> None:
        self._all: dict[str, Run] = {}

    def __getitem__(self, response_id: str) -> Run:
        return self._all[response_id]

    def get(self, response_id: str) -> Run | None:
        """The run with this id."""
        return self._all.get(response_id)

    def begin(self, response_id: str, length: float) -> Run:
        """Start a run."""
        run = self._all[response_id] = Run(response_id, length)
        return run

    @property
    def billed(self) -> int:
        """How many reached their end, with or without a client."""
        return sum(run.state is RunState.FINISHED for run in self._all.values())

    @property
    def running(self) -> int:
        """How many have not ended yet."""
        return sum(run.state is RunState.RUNNING for run in self._all.values())


def new_id() -> str:
    """A new id in Perplexity's form."""
    return f"resp_{uuid.uuid4()}"
