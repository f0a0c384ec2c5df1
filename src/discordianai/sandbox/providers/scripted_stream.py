"""A scripted answer: the events of its stream in order, with the delays between them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from discordianai.sandbox.providers.provider_faults import Fault

Json = dict[str, Any]


class StepDelay(Enum):
    """The delay that goes with an event."""

    NONE = auto()
    FIRST = auto()
    """`first_token` seconds before it: the model thinks."""
    PIECE = auto()
    """`between_tokens` seconds after it: a piece of text. Faults count these events."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a script."""

    event: Json
    delay: StepDelay = StepDelay.NONE


class Script(Protocol):
    """One answer, in one dialect."""

    def steps(self) -> Iterator[Step]:
        """The events, in order; can be iterated once."""

    def whole(self) -> Json:
        """The answer as one object."""

    def failure(self, fault: Fault) -> list[Json]:
        """The last events of a stream that fails."""

    def failed(self, fault: Fault) -> Json:
        """The failed answer as one object."""


@dataclass(slots=True)
class EventFraming:
    """How events are written as server-sent events."""

    content_type: str
    dump: Callable[[Json], str] = field(default=lambda event: json.dumps(event, ensure_ascii=False))
    number: Callable[[int], int] | None = None
    """The `sequence_number` of the n-th event; None in a dialect without numbers."""
    event_lines: bool = False
    keep_alive: bytes = b": keep-alive\n\n"
    begin: bytes = b""
    """Sent before the first event."""
    end: bytes = b""
    """Sent after the last event."""
    distort: Callable[[bytes], bytes] = bytes
    """What becomes of the bytes of an event on their way; nothing, unless a test wants it."""
    _count: int = 0

    def frame(self, event: Json) -> bytes:
        """The bytes of the next event."""
        if self.number is not None:
            numbered = {"type": event["type"], "sequence_number": self.number(self._count)}
            event = numbered | event
            self._count += 1
        line = f"event: {event['type']}\n" if self.event_lines else ""
        begin, self.begin = self.begin, b""
        return begin + self.distort(f"{line}data: {self.dump(event)}\n\n".encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class AcceptedQuestion:
    """A valid request, reduced to what every dialect has."""

    texts: tuple[str, ...]
    """The text of each user message, the newest last."""
    stream: bool
    tokens: int
    """The size of the input."""
    framing: EventFraming
    """How its answer is streamed."""

    @property
    def newest(self) -> str:
        """The newest user message; empty where there is none."""
        return self.texts[-1] if self.texts else ""

    @property
    def earlier(self) -> list[str]:
        """The user messages before it."""
        return list(self.texts[:-1])
