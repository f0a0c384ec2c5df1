"""An answer as a script: the events of its stream, one after the other, with the pauses before them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from discordianai.sandbox.providers.provider_faults import Fault

Json = dict[str, Any]


class StepDelay(Enum):
    """What happens before an event."""

    NONE = auto()
    FIRST = auto()
    """The model thinks, for `first_token` seconds."""
    PIECE = auto()
    """Nothing before it; `between_tokens` seconds after it. Faults count these events."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a script."""

    event: Json
    pause: StepDelay = StepDelay.NONE


class Script(Protocol):
    """One answer, in one dialect."""

    def steps(self) -> Iterator[Step]:
        """The events, in order; can be taken once."""

    def whole(self) -> Json:
        """The answer as one object."""

    def failure(self, fault: Fault) -> list[Json]:
        """The events with which the stream ends where it fails."""

    def failed(self, fault: Fault) -> Json:
        """The answer as one object that says that it has failed."""


@dataclass(slots=True)
class EventFraming:
    """How events become bytes."""

    content_type: str
    dump: Callable[[Json], str] = field(default=lambda event: json.dumps(event, ensure_ascii=False))
    number: Callable[[int], int] | None = None
    """The `sequence_number` of the n-th event; None where a dialect numbers nothing."""
    event_lines: bool = False
    keep_alive: bytes = b": keep-alive\n\n"
    end: bytes = b""
    """What comes after the last event."""
    _count: int = 0

    def frame(self, event: Json) -> bytes:
        """The next event of the stream."""
        if self.number is not None:
            numbered = {"type": event["type"], "sequence_number": self.number(self._count)}
            event = numbered | event
            self._count += 1
        line = f"event: {event['type']}\n" if self.event_lines else ""
        return f"{line}data: {self.dump(event)}\n\n".encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class AcceptedQuestion:
    """An accepted request, as far as every dialect has it."""

    said: tuple[str, ...]
    """What people said, message by message, the newest last."""
    stream: bool
    tokens: int
    """The size of the input."""
    framing: EventFraming
    """How its answer is streamed."""

    @property
    def newest(self) -> str:
        """The last thing that was said; empty where nothing was."""
        return self.said[-1] if self.said else ""

    @property
    def earlier(self) -> list[str]:
        """What was said before it."""
        return list(self.said[:-1])
