"""How a service can be told to misbehave, for one request each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What goes wrong."""

    STATUS = auto()
    """An error response instead of an answer."""
    STALL = auto()
    """Nothing more comes, and the connection stays open."""
    CUT = auto()
    """The stream is reset; in HTTP/1.1 the connection is cut."""
    ABORT = auto()
    """The connection is cut, with every stream on it."""
    GOAWAY = auto()
    """GOAWAY comes in the middle, and the answer goes on."""
    END = auto()
    """The stream ends neatly, but early: no finish reason, no [DONE]."""
    EVENT = auto()
    """An error comes as an event in the stream."""
    HALF_CHARACTER = auto()
    """The stream is cut in the middle of a UTF-8 character."""
    EMPTY = auto()
    """An answer without any text."""
    LENGTH = auto()
    """The answer ends because it is too long."""
    SLOW = auto()
    """The tokens come slowly."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour. `after` counts pieces of text; `seconds` are between pieces, or of Retry-After."""

    kind: Kind
    after: int = 0
    status: int = 500
    code: str | None = None
    param: str | None = None
    seconds: float | None = None

    @classmethod
    def rate_limited(cls, retry_after: float = 1.0) -> Fault:
        """429, with a wait."""
        return cls(Kind.STATUS, status=429, code="rate_limit_exceeded", seconds=retry_after)

    @classmethod
    def quota(cls) -> Fault:
        """429, because the money is gone."""
        return cls(Kind.STATUS, status=429, code="insufficient_quota")

    @classmethod
    def wrong_key(cls) -> Fault:
        """401."""
        return cls(Kind.STATUS, status=401, code="invalid_api_key")

    @classmethod
    def no_tools(cls) -> Fault:
        """400: this model knows no tools."""
        return cls(Kind.STATUS, status=400, code="unsupported_parameter", param="tools")

    @classmethod
    def no_streaming(cls) -> Fault:
        """400: this organisation may not stream."""
        return cls(Kind.STATUS, status=400, code="unsupported_value", param="stream")


MARKERS = {
    "!429": Fault.rate_limited(5),
    "!quota": Fault.quota(),
    "!401": Fault.wrong_key(),
    "!500": Fault(Kind.STATUS),
    "!503": Fault(Kind.STATUS, status=503),
    "!stall": Fault(Kind.STALL, after=10),
    "!cut": Fault(Kind.CUT, after=20),
    "!abort": Fault(Kind.ABORT, after=20),
    "!error": Fault(Kind.EVENT, after=10),
    "!empty": Fault(Kind.EMPTY),
    "!notools": Fault.no_tools(),
    "!slow": Fault(Kind.SLOW, seconds=0.5),
}
"""What a question may contain to be answered badly, for trying it at the terminal."""


def in_text(text: str) -> Fault | None:
    """The fault that a question asks for."""
    return next((fault for marker, fault in MARKERS.items() if marker in text.split()), None)
