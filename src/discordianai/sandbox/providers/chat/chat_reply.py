"""An answer in chat completions, chunk by chunk."""

import time
import uuid
from collections.abc import Iterator

from discordianai.sandbox.providers.api_errors import QUOTA_CODES
from discordianai.sandbox.providers.chat.chat_request import (
    ChatCompletionRequest,
    ChatTool,
    ChosenTool,
    ImagePart,
    TextPart,
)
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind
from discordianai.sandbox.providers.request_items import count_tokens
from discordianai.sandbox.providers.scripted_answers import (
    DECLINED,
    arguments_for,
    compose,
    pieces_of,
    wants_the_web,
)
from discordianai.sandbox.providers.scripted_stream import (
    AcceptedQuestion,
    EventFraming,
    Json,
    Step,
    StepDelay,
)

THOUGHT = "The question has two sides. The second one weighs more."


def question_of(request: ChatCompletionRequest, body: Json) -> AcceptedQuestion:
    """Reduce a request to what every dialect has."""
    framing = EventFraming("text/event-stream; charset=utf-8", end=b"data: [DONE]\n\n")
    contents = [message.content for message in request.messages if message.role == "user"]
    texts = tuple(_first_text(content) for content in contents)
    return AcceptedQuestion(texts, bool(request.stream), count_tokens(body["messages"]), framing)


def _first_text(content: str | list[TextPart | ImagePart] | None) -> str:
    """The text of a message; where it has parts, that of the first text part."""
    if isinstance(content, str):
        return content
    return next((part.text for part in content or () if isinstance(part, TextPart)), "")


class ChatReply:
    """A service's answer to one request, with its fault."""

    def __init__(
        self, label: str, request: ChatCompletionRequest, question: AcceptedQuestion, fault: Fault | None
    ):
        self._label = label
        self._request = request
        self._question = question.newest
        self._earlier = question.earlier
        self._input_tokens = question.tokens
        self._kind = fault.kind if fault else None
        self._common: Json = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": request.model,
        }

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        usage = self._usage(self._full_text())
        if tool := self._called():
            yield from self._call(tool)
        else:
            yield from self._text()
        options = self._request.stream_options
        if options is not None and options.include_usage:
            yield Step({**self._chunk({}), "choices": [], "usage": usage})

    def whole(self) -> Json:
        """See `Script`."""
        tool, made = self._called(), self._full_text()
        message: Json = {"role": "assistant", "content": None if tool else made}
        if tool:
            message["tool_calls"] = [self._call_start(tool) | {"function": self._function(tool)}]
        elif self._kind is FaultKind.REFUSAL:
            message |= {"content": None, "refusal": made}
        choice = {"index": 0, "message": message, "finish_reason": self._reason(tool)}
        usage = self._usage(made)
        return {**self._common, "object": "chat.completion", "choices": [choice], "usage": usage}

    def failure(self, fault: Fault) -> list[Json]:
        """See `Script`: an error takes the place of a chunk."""
        return [self.failed(fault)]

    def failed(self, fault: Fault) -> Json:
        """See `Script`."""
        kind = "insufficient_quota" if fault.code in QUOTA_CODES else "server_error"
        return {"error": {"message": fault.message, "type": kind, "param": fault.param, "code": fault.code}}

    def _text(self) -> Iterator[Step]:
        yield Step(self._chunk({"role": "assistant", "content": ""}), StepDelay.FIRST)
        if self._kind is FaultKind.REASONING:
            for piece in pieces_of(THOUGHT):
                yield Step(self._chunk({"content": None, "reasoning_content": piece}))
        key = "refusal" if self._kind is FaultKind.REFUSAL else "content"
        for piece in pieces_of(self._full_text()):
            yield Step(self._chunk({key: piece}), StepDelay.PIECE)
        yield Step(self._chunk({}, self._reason(None)))

    def _call(self, tool: ChatTool) -> Iterator[Step]:
        arguments = self._function(tool)["arguments"]
        yield Step(
            self._chunk({"role": "assistant", "content": None, "tool_calls": [self._call_start(tool)]}),
            StepDelay.FIRST,
        )
        for start in range(0, len(arguments), 8):
            piece = {"index": 0, "function": {"arguments": arguments[start : start + 8]}}
            yield Step(self._chunk({"tool_calls": [piece]}), StepDelay.PIECE)
        yield Step(self._chunk({}, "tool_calls"))

    def _call_start(self, tool: ChatTool) -> Json:
        function = {"name": tool.function.name, "arguments": ""}
        return {"index": 0, "id": "call_1", "type": "function", "function": function}

    def _function(self, tool: ChatTool) -> dict[str, str]:
        arguments = arguments_for(self._question, tool.function.parameters)
        return {"name": tool.function.name, "arguments": arguments}

    def _called(self) -> ChatTool | None:
        offered, choice = self._request.tools or [], self._request.tool_choice
        if isinstance(choice, ChosenTool):
            return next((tool for tool in offered if tool.function.name == choice.function.name), None)
        if not offered or choice == "none" or self._kind in _TEXT_FAULTS:
            return None
        return offered[0] if choice == "required" or wants_the_web(self._question) else None

    def _full_text(self) -> str:
        """The answer's text, within the limit."""
        if self._kind in (FaultKind.EMPTY, FaultKind.THOUGHT_ONLY):
            return ""
        if self._kind is FaultKind.REFUSAL:
            return DECLINED
        text = compose(self._label, self._question, self._earlier, sources=False).text
        if self._kind is FaultKind.FILTER:
            return text[: len(text) // 2]
        limit = self._request.limit
        return text if limit is None else text[: limit * 4]

    def _reason(self, tool: ChatTool | None) -> str:
        if tool:
            return "tool_calls"
        if self._kind is FaultKind.FILTER:
            return "content_filter"
        limit = self._request.limit
        cut = limit is not None and len(self._full_text()) == limit * 4
        return "length" if cut or self._kind in (FaultKind.LENGTH, FaultKind.THOUGHT_ONLY) else "stop"

    def _usage(self, text: str) -> Json:
        output_tokens = len(text) // 4
        return {
            "prompt_tokens": self._input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": self._input_tokens + output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._common, "object": "chat.completion.chunk", "choices": [choice]}


_TEXT_FAULTS = frozenset(
    {
        FaultKind.EMPTY,
        FaultKind.LENGTH,
        FaultKind.FILTER,
        FaultKind.REFUSAL,
        FaultKind.REASONING,
        FaultKind.THOUGHT_ONLY,
    }
)
"""Faults of a text answer: with one of them, the model calls no function."""
