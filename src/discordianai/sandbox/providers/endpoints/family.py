"""What sets one kind of endpoint apart: what it refuses, in which words and form, and how it streams."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.scripted_stream import Json

FIELDS = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "tools",
        "tool_choice",
        "response_format",
        "user",
    }
)
"""What every endpoint knows, if it does not say otherwise."""

EFFORT = frozenset({"reasoning_effort"})
NEWER_LIMIT = frozenset({"max_completion_tokens"})
"""What only some know."""

INVALID_REQUEST = "invalid_request_error"
"""OpenAI's name for that kind of error."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal in an endpoint's own words. `{value}` stands for what is refused."""

    status: int
    message: str
    code: str | None = None
    kind: str | None = None
    param: str | None = None

    def error(self, value: object = "", *, injected: bool = False) -> ApiError:
        """The error to raise."""
        message = self.message.replace("{value}", str(value))
        return ApiError(self.status, self.code, self.param, message, self.kind, injected=injected)


class UsageWhen(Enum):
    """When a stream tells its usage."""

    ASKED = auto()
    """In a chunk of its own, if `include_usage` is set."""
    LAST = auto()
    """With the last chunk of the answer, unasked."""
    EVERY = auto()
    """With every chunk."""
    NEVER = auto()


class Calls(Enum):
    """How a stream has the call of a function."""

    PIECES = auto()
    WHOLE = auto()
    """In one chunk, with the reason `stop`, and without an index or an id."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of endpoint.

    `models` are those that it has, the first one that of the examples. It takes the fields `known`, and
    ignores others where `unknown` is None. `without_tools` and the like are models that refuse these. `form`
    writes an error as this endpoint does.
    """

    name: str
    label: str
    models: tuple[str, ...]
    too_long: Refusal
    filtered: Refusal
    no_model: Refusal
    bad_image: Refusal
    base_path: str = "/v1"
    known: frozenset[str] = FIELDS
    unknown: Refusal | None = None
    no_tools: Refusal = Refusal(400, "This model does not support tools")
    no_system: Refusal = Refusal(400, "System role not supported")
    no_effort: Refusal = Refusal(400, "This model does not support reasoning_effort")
    wrong_key: Refusal = Refusal(401, "Incorrect API key provided.", "invalid_api_key")
    without_tools: frozenset[str] = frozenset()
    without_system: frozenset[str] = frozenset()
    without_effort: frozenset[str] = frozenset()
    without_images: frozenset[str] = frozenset()
    any_model: bool = False
    """Whether the name of the model does not matter."""
    responses: bool = True
    """Whether it has the Responses interface, too."""
    form: Callable[[ApiError], object] = lambda error: openai_form(error)
    reasoning: str = ""
    """The key of the model's reasoning in a chunk; empty where it is silent."""
    thinks_in_text: bool = False
    """Whether the reasoning is a `<think>` block of the text instead."""
    parts: bool = False
    """Whether the text comes as a list of parts."""
    usage: UsageWhen = UsageWhen.ASKED
    calls: Calls = Calls.PIECES
    finish: str = "stop"
    content_type: str = "text/event-stream; charset=utf-8"
    comment: bytes = b": keep-alive\n\n"
    first_chunk: Json | None = None
    """Sent before the answer's own chunks."""
    done: bytes = b"data: [DONE]\n\n"


def _kind(error: ApiError) -> str:
    return error.kind or ("server_error" if error.status >= 500 else "invalid_request_error")


def openai_form(error: ApiError) -> object:
    """As OpenAI writes it."""
    told = {"message": error.message, "type": _kind(error), "param": error.param, "code": error.code}
    return {"error": told}


def numbered_form(error: ApiError) -> object:
    """With the status as its code."""
    return {"error": {"code": error.status, "message": error.message, "type": _kind(error)}}


def flat_form(error: ApiError) -> object:
    """Without an object for the error."""
    told = {"object": "error", "message": error.message, "type": _kind(error), "param": error.param}
    return {**told, "code": error.code or error.status}


def text_form(error: ApiError) -> object:
    """The sentence alone."""
    return {"error": error.message}


def xai_form(error: ApiError) -> object:
    """The sentence beside a code, which is one, too."""
    return {"code": error.code or "Client specified an invalid argument", "error": error.message}


def google_form(error: ApiError) -> object:
    """An array of one."""
    violations = [{"description": error.message}] if error.param is None else []
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    status = error.kind or "INVALID_ARGUMENT"
    told = {"code": error.status, "message": error.message, "status": status, "details": details}
    return [{"error": told}]


def mistral_form(error: ApiError) -> object:
    """Flat, with what is wrong with the body as a list in place of the sentence."""
    if error.status != 422:
        return flat_form(error)
    place = ["body", *(error.param or "").split(".")]
    wrong = {"type": "extra_forbidden", "loc": place, "msg": error.message, "input": error.value}
    told = {"object": "error", "message": {"detail": [wrong]}, "type": "invalid_request_error"}
    return {**told, "param": None, "code": None}


def openrouter_form(error: ApiError) -> object:
    """With the status as its code, and what else there is to say in `metadata`."""
    told: Json = {"message": error.message, "code": error.status}
    if error.kind is not None:
        told["metadata"] = {"provider_name": "sandbox", "raw": error.kind}
    return {"error": told, "user_id": "user_sandbox"}
