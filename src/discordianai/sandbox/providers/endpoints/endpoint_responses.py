"""The Responses interface of endpoints other than OpenAI: the fields that they take, and how they stream."""

import uuid
from collections.abc import Iterator

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.chat.chat_reply import THOUGHT
from discordianai.sandbox.providers.endpoints.family import Family
from discordianai.sandbox.providers.provider_faults import Fault
from discordianai.sandbox.providers.request_items import count_tokens
from discordianai.sandbox.providers.scripted_answers import compose, pieces_of
from discordianai.sandbox.providers.scripted_stream import (
    AcceptedQuestion,
    EventFraming,
    Json,
    Step,
    StepDelay,
)

FIELDS = frozenset(
    {
        "model",
        "input",
        "instructions",
        "max_output_tokens",
        "store",
        "stream",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "reasoning",
    }
)
"""What these endpoints know of a request."""

ITEM_FIELDS = frozenset({"type", "role", "content"})
"""What they know of a message."""


def accept(family: Family, body: Json) -> AcceptedQuestion:
    """The question, if the endpoint takes it. Raises `ApiError`."""
    unknown = [field for field in body if field not in FIELDS]
    unknown += [
        f"input[{at}].{field}"
        for at, item in enumerate(body["input"])
        for field in item
        if field not in ITEM_FIELDS
    ]
    if unknown:
        raise ApiError(400, "unknown_parameter", unknown[0], f"Unknown parameter: '{unknown[0]}'.")
    if body["model"] not in family.models and not family.any_model:
        raise family.no_model.error(body["model"])
    if body.get("tools") and body["model"] in family.without_tools:
        raise family.no_tools.error(body["model"])
    if body.get("instructions") and body["model"] in family.without_system:
        raise family.no_system.error(body["model"])
    if body.get("reasoning") and body["model"] in family.without_effort:
        raise family.no_effort.error(body["model"])
    texts = tuple(str(item["content"]) for item in body["input"] if item["role"] == "user")
    framing = EventFraming(family.content_type, keep_alive=family.comment, event_lines=True, end=family.done)
    return AcceptedQuestion(texts, bool(body.get("stream")), count_tokens(body["input"]), framing)


class ResponsesScript:
    """An answer; see `Script`. Its reasoning is visible, as that of open models is."""

    def __init__(self, family: Family, body: Json, question: AcceptedQuestion) -> None:
        self._family = family
        self._question = question
        self._text = compose(family.label, question.newest, question.earlier, sources=False).text
        self._response: Json = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "model": body["model"],
        }

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        begun = {**self._response, "status": "in_progress", "output": []}
        yield Step({"type": "response.created", "response": begun}, StepDelay.FIRST)
        if self._family.reasoning:
            at = {"item_id": "rs_1", "output_index": 0, "content_index": 0}
            for piece in pieces_of(THOUGHT):
                yield Step({"type": "response.reasoning_text.delta", **at, "delta": piece})
        at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
        for piece in pieces_of(self._text):
            yield Step({"type": "response.output_text.delta", **at, "delta": piece}, StepDelay.PIECE)
        yield Step({"type": "response.output_text.done", **at, "text": self._text})
        yield Step({"type": "response.completed", "response": self.whole()})

    def whole(self) -> Json:
        """See `Script`."""
        part = {"type": "output_text", "text": self._text, "annotations": []}
        message = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        asked, answered = self._question.tokens, len(self._text) // 4
        usage = {"input_tokens": asked, "output_tokens": answered, "total_tokens": asked + answered}
        return {**self._response, "status": "completed", "output": [message], "usage": usage}

    def failure(self, fault: Fault) -> list[Json]:
        """See `Script`."""
        return [{"type": "response.failed", "response": self.failed(fault)}]

    def failed(self, fault: Fault) -> Json:
        """See `Script`."""
        error = {"code": fault.code or "server_error", "message": fault.message}
        return {**self._response, "status": "failed", "error": error, "output": []}
