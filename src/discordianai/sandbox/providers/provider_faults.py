"""Faults that a service injects on request, each for one question."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from discordianai.sandbox.providers.api_errors import LEAKY

Json = dict[str, Any]


class FaultKind(Enum):
    """What goes wrong, or is unusual."""

    STATUS = auto()
    """An error response instead of an answer."""
    QUOTA = auto()
    """The account has no credit left: a 429 at OpenAI, a 401 at Perplexity."""
    STALL = auto()
    """Nothing more is sent, and the connection stays open."""
    CUT = auto()
    """The stream is reset; in HTTP/1.1 the connection is cut."""
    ABORT = auto()
    """The connection is cut, with every stream on it."""
    GOAWAY = auto()
    """GOAWAY is sent in the middle, and the answer continues."""
    END = auto()
    """The stream ends in order, but without its terminal event."""
    EVENT = auto()
    """An error event in the stream, in the form that `shape` names."""
    FAILED = auto()
    """HTTP 200 with a JSON object whose status is `failed`, even where a stream was asked for."""
    HALF_CHARACTER = auto()
    """The stream is cut in the middle of a UTF-8 character."""
    EMPTY = auto()
    """An answer without any text."""
    LENGTH = auto()
    """The answer is cut by the token limit."""
    LENGTH_UNTOLD = auto()
    """The same, but its status is `completed`: only the token count tells."""
    THOUGHT_ONLY = auto()
    """Reasoning has used up the token limit: there is no message at all."""
    FILTER = auto()
    """The answer is cut by the content filter."""
    REFUSAL = auto()
    """The model declines, in words."""
    TWO_MESSAGES = auto()
    """A commentary precedes the answer, as a separate message."""
    REASONING = auto()
    """Visible reasoning first: summaries, progress or `reasoning_content`, by dialect."""
    SEARCHES = auto()
    """The model searches twice."""
    CLASHING_IDS = auto()
    """The model searches twice, and both searches number their results from 1."""
    UNCITED = auto()
    """The model searches, and its text cites nothing."""
    NO_SOURCES = auto()
    """The model does not search, although the request demands it."""
    SLOW = auto()
    """The tokens are sent slowly."""
    RAW = auto()
    """These bytes are sent instead of an answer."""


class ErrorShape(Enum):
    """The form of an error inside a stream."""

    USUAL = auto()
    """OpenAI: NESTED, then FAILED. Perplexity: FAILED, with the error at the top level."""
    NESTED = auto()
    """`error`, with its fields in an object of the same name; nothing after it."""
    FLAT = auto()
    """`error`, with its fields beside `type`; nothing after it."""
    FAILED = auto()
    """`response.failed` alone."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `after` counts pieces of text; `seconds` is the time between pieces, or Retry-After."""

    kind: FaultKind
    after: int = 0
    status: int = 500
    code: str | None = None
    param: str | None = None
    seconds: float | None = None
    message: str = LEAKY
    shape: ErrorShape = ErrorShape.USUAL
    body: bytes = b""
    times: int | None = 1
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def rate_limited(cls, retry_after: float = 1.0) -> Fault:
        """429, with a wait."""
        return cls(FaultKind.STATUS, status=429, code="rate_limit_exceeded", seconds=retry_after)

    @classmethod
    def slow_down(cls, retry_after: float | None = None) -> Fault:
        """429: the traffic grew too fast, although it is within the limits."""
        return cls(FaultKind.STATUS, status=429, code="slow_down", seconds=retry_after)

    @classmethod
    def overloaded(cls) -> Fault:
        """503: the model is overloaded."""
        return cls(FaultKind.STATUS, status=503, code="server_is_overloaded")

    @classmethod
    def quota(cls, code: str = "insufficient_quota") -> Fault:
        """The account has no credit left: 429 at OpenAI, 401 at Perplexity."""
        return cls(FaultKind.QUOTA, code=code)

    @classmethod
    def wrong_key(cls) -> Fault:
        """401."""
        return cls(FaultKind.STATUS, status=401, code="invalid_api_key")

    @classmethod
    def too_long(cls) -> Fault:
        """400: the conversation does not fit into the model's context."""
        return cls(FaultKind.STATUS, status=400, code="context_length_exceeded", param="input")

    @classmethod
    def invalid_prompt(cls) -> Fault:
        """400: the question was refused by policy."""
        return cls(FaultKind.STATUS, status=400, code="invalid_prompt")

    @classmethod
    def no_tools(cls) -> Fault:
        """400: this model does not support tools."""
        return cls(FaultKind.STATUS, status=400, code="unsupported_parameter", param="tools")

    @classmethod
    def no_images(cls) -> Fault:
        """400: this model does not support images."""
        param = "input[0].content[1].image_url"
        return cls(FaultKind.STATUS, status=400, code="invalid_value", param=param, message=NO_IMAGES)

    @classmethod
    def no_files(cls) -> Fault:
        """400: this model does not support files."""
        param = "input[0].content[1].file_data"
        return cls(FaultKind.STATUS, status=400, code="invalid_value", param=param, message=NO_FILES)

    @classmethod
    def no_streaming(cls) -> Fault:
        """400: this organisation may not stream."""
        return cls(FaultKind.STATUS, status=400, code="unsupported_value", param="stream")

    @classmethod
    def in_stream(cls, code: str, after: int = 0, shape: ErrorShape = ErrorShape.USUAL) -> Fault:
        """An error with this code inside a stream that began with 200."""
        return cls(FaultKind.EVENT, after=after, code=code, shape=shape)

    @classmethod
    def raw(
        cls,
        body: bytes,
        *,
        content_type: str = "text/event-stream",
        status: int = 200,
        headers: tuple[tuple[str, str], ...] = (),
        times: int | None = 1,
    ) -> Fault:
        """These bytes instead of an answer, `times` times; endlessly if that is None."""
        return cls(
            FaultKind.RAW, status=status, body=body, times=times, content_type=content_type, headers=headers
        )


NO_IMAGES = "Invalid content type. image_url is only supported by certain models."
NO_FILES = "Invalid content type. input_file is not supported by this model."

MARKERS = {
    "!429": Fault.rate_limited(5),
    "!quota": Fault.quota(),
    "!401": Fault.wrong_key(),
    "!500": Fault(FaultKind.STATUS),
    "!503": Fault.overloaded(),
    "!slowdown": Fault.slow_down(),
    "!toolong": Fault.too_long(),
    "!policy": Fault.invalid_prompt(),
    "!stall": Fault(FaultKind.STALL, after=10),
    "!cut": Fault(FaultKind.CUT, after=20),
    "!abort": Fault(FaultKind.ABORT, after=20),
    "!error": Fault(FaultKind.EVENT, after=10),
    "!quotastream": Fault.in_stream("insufficient_quota"),
    "!failed": Fault(FaultKind.FAILED),
    "!empty": Fault(FaultKind.EMPTY),
    "!length": Fault(FaultKind.LENGTH),
    "!thoughtonly": Fault(FaultKind.THOUGHT_ONLY),
    "!filter": Fault(FaultKind.FILTER),
    "!refusal": Fault(FaultKind.REFUSAL),
    "!two": Fault(FaultKind.TWO_MESSAGES),
    "!reasoning": Fault(FaultKind.REASONING),
    "!searches": Fault(FaultKind.SEARCHES),
    "!clash": Fault(FaultKind.CLASHING_IDS),
    "!uncited": Fault(FaultKind.UNCITED),
    "!nosources": Fault(FaultKind.NO_SOURCES),
    "!notools": Fault.no_tools(),
    "!noimages": Fault.no_images(),
    "!nofiles": Fault.no_files(),
    "!slow": Fault(FaultKind.SLOW, seconds=0.5),
}
"""Words in a question that inject a fault, for use at the terminal."""


_MARKED_FIELDS = {"!notools": ("tools",), "!noimages": ("image_url",), "!nofiles": ("file_data", "file_url")}
"""Fields that these markers refuse; a request without them is answered."""


def marked_fault(text: str, body: Json) -> Fault | None:
    """The fault whose marker is in the question, if any."""
    words = text.split()
    for marker, fault in MARKERS.items():
        if marker in words and (marker not in _MARKED_FIELDS or _has(body, _MARKED_FIELDS[marker])):
            return fault
    return None


def _has(value: object, fields: tuple[str, ...]) -> bool:
    """Whether one of these fields occurs at any depth."""
    if isinstance(value, dict):
        return any(field in fields or _has(inner, fields) for field, inner in value.items())
    return isinstance(value, list) and any(_has(inner, fields) for inner in value)
