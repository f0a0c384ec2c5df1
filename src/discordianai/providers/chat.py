"""Chat completions, `POST /chat/completions`: OpenAI's former interface, which other endpoints imitate."""

import json
from collections.abc import Iterator

from discordianai.providers import failures
from discordianai.providers.answer_parts import (
    LONGEST_ID,
    MOST_OF_ARGUMENTS,
    BoundedText,
    Sources,
    ThoughtFilter,
    ToolCalls,
)
from discordianai.providers.error_body import bare_error, told_error
from discordianai.providers.errors import MalformedAnswer
from discordianai.providers.json_values import (
    Json,
    NotJson,
    count,
    parse,
    parse_all,
    piece,
    table,
    tables,
    text,
)
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import End, Event, SourceList, TextDelta, UsageReport
from discordianai.providers.responses import parameters
from discordianai.providers.usage_report import usage
from discordianai.records import ChatRequest, FinishReason, Provider, Role, Tool, Turn, Usage

DONE = "[DONE]"

_REASONS = {
    **dict.fromkeys(
        ("stop", "eos", "end_turn", "stop_sequence", "tool_calls", "tool_call", "tool_use", "function_call"),
        FinishReason.STOP,
    ),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length"),
        FinishReason.LENGTH,
    ),
    **dict.fromkeys(("content_filter", "safety", "prohibited_content", "recitation"), FinishReason.FILTERED),
}
"""In lower case."""

_FAILED = frozenset({"error", "insufficient_system_resource"})
"""Reasons of an answer that the server gave up."""

_OTHER_OUTPUT = ("tool_calls", "reasoning_content", "reasoning", "reasoning_details", "thinking")
"""Keys of what a model may begin with instead of text."""

MOST_CALLS = 100
"""Calls of tools that are told apart."""

MOST_LOOKS = 100
"""Times that the arguments of one call are read, to see whether they are complete: each takes a while."""


class ChatCodec:
    """See `Codec`. Only fields that most imitations know are sent."""

    path = "/chat/completions"

    def __init__(self, provider: Provider, options: ProviderOptions) -> None:
        self._provider = provider
        self._options = options

    def encode(self, request: ChatRequest) -> Json:
        """See `Codec.encode`."""
        options = self._options
        messages = [{"role": turn.role.value, "content": _content(turn)} for turn in request.turns]
        if request.instructions:
            messages.insert(0, {"role": Role.SYSTEM.value, "content": request.instructions})
        optional: Json = {
            "reasoning_effort": options.reasoning_effort,
            "verbosity": options.verbosity,
            "max_completion_tokens": options.max_answer_tokens,
            "tools": [_function(tool) for tool in request.tools],
        }
        return {
            "model": request.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            **{key: value for key, value in optional.items() if value},
        }

    def decoder(self, request: ChatRequest, _request_id: str) -> "ChatDecoder":
        """See `Codec.decoder`."""
        return ChatDecoder(self._provider, request.tools)

    def cancel_path(self, _run_id: str) -> None:
        """Closing the stream stops it."""
        return


class ChatDecoder:
    """See `Decoder`. The end is `[DONE]`, or the end of a stream that gave a finish reason."""

    run_id = ""

    def __init__(self, provider: Provider, tools: tuple[Tool, ...]) -> None:
        self._provider = provider
        self._calls = ToolCalls(tools)
        self._call_keys = _CallKeys()
        self._sources = Sources()
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._text = BoundedText()
        self._thoughts = ThoughtFilter()
        self.ended = False
        self.begun = False

    def decode(self, data: str) -> Iterator[Event]:
        """See `Decoder.decode`."""
        data = data.strip()
        done = data.endswith(DONE)
        try:
            chunks = parse_all(data.removesuffix(DONE))  # some forget the empty line between events
        except NotJson:
            if data[:1] not in {"{", "["}:
                return  # a keep-alive: some come as data
            raise MalformedAnswer(self._provider, "an event is not JSON") from None
        for chunk in chunks:
            if problem := bare_error(chunk):
                raise failures.from_event(self._provider, problem)
            yield from self._read(chunk)
        if self._text.full:
            yield End(FinishReason.LENGTH)
        elif done:
            yield from self._end()

    def decode_whole(self, body: Json) -> Iterator[Event]:
        """See `Decoder.decode_whole`."""
        yield from self._read(body)
        yield from self._end()

    def close(self) -> Iterator[Event]:
        """See `Decoder.close`: some send no `[DONE]`."""
        if self._reason is not None:
            yield from self._end()

    def _read(self, chunk: Json) -> Iterator[Event]:
        """A chunk, or a whole answer, whose `message` has what chunks have in `delta`."""
        if problem := told_error(chunk):
            raise failures.from_event(self._provider, problem)
        choice = next(tables(chunk, "choices"), {})
        said = table(choice, "delta")
        if not said and self._text.empty:
            said = table(choice, "message")
        if "tool_calls" in said:
            self._call(said)
        if self._sources.add(tables(chunk, "search_results")):
            yield SourceList(self._sources.citations)
        words = _text(said)
        if not self.begun:
            self.begun = bool(words) or any(said.get(key) for key in _OTHER_OUTPUT)
        if words := self._text.take(self._thoughts.take(words)):
            yield TextDelta(words)
        if (reason := _reason(choice)) is not None:
            if reason in _FAILED:
                raise failures.from_event(self._provider, {})
            self.begun = True
            self._reason = _REASONS.get(reason, FinishReason.OTHER)
            if call := self._calls.whole():
                yield call
        told = table(chunk, "usage")
        counted = usage(told, "prompt_tokens", "completion_tokens")
        counted = counted or usage(told, "input_tokens", "output_tokens")
        self._usage = counted or self._usage  # some tell with every chunk

    def _call(self, said: Json) -> None:
        for number, piece_of_call in enumerate(tables(said, "tool_calls")):
            named = table(piece_of_call, "function")
            name, arguments = text(named, "name"), piece(named, "arguments")
            if whole := table(named, "arguments"):
                arguments = json.dumps(whole)
            key = self._call_keys.of(piece_of_call, number, name, arguments)
            self._calls.add(key, name, arguments)

    def _end(self) -> Iterator[Event]:
        """Raises `MalformedAnswer` if nothing of an answer has come."""
        if not self.ended:
            self.ended = True
            if words := self._text.take(self._thoughts.close()):
                yield TextDelta(words)
            if self._reason is None and self._text.empty and not self._calls.begun:
                raise MalformedAnswer(self._provider, "an answer with nothing in it")
            if call := self._calls.whole():
                yield call
            if self._usage is not None:
                yield UsageReport(self._usage)
            yield End(FinishReason.LENGTH if self._text.full else self._reason or FinishReason.OTHER)


class _CallKeys:
    """Tells the calls of one answer apart. Some servers give all of them one index, or none."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}
        self._arguments: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        self._looks: dict[int, int] = {}

    def of(self, piece_of_call: Json, number: int, name: str, arguments: str) -> tuple[int, int]:
        """The key of the call that this piece belongs to; it is the `number`-th of its chunk."""
        index, identifier = count(piece_of_call, "index"), text(piece_of_call, "id")[:LONGEST_ID]
        at = min(number if index is None else index, MOST_CALLS)
        if at in self._ids and self._is_another(at, identifier, name):
            self._numbers[at] += 1
            self._ids[at] = self._arguments[at] = ""
            self._looks[at] = 0
        self._numbers.setdefault(at, 0)
        self._ids[at] = self._ids.get(at) or identifier
        self._arguments[at] = (self._arguments.get(at, "") + arguments)[: MOST_OF_ARGUMENTS + 1]
        return at, self._numbers[at]

    def _is_another(self, at: int, identifier: str, name: str) -> bool:
        if identifier and self._ids[at]:
            return identifier != self._ids[at]
        return bool(name) and self._is_whole(at)

    def _is_whole(self, at: int) -> bool:
        looks, arguments = self._looks.get(at, 0), self._arguments[at]
        if looks >= MOST_LOOKS or not arguments.rstrip().endswith("}"):
            return False
        self._looks[at] = looks + 1
        try:
            parse(arguments)
        except NotJson:
            return False
        return True


def _reason(choice: Json) -> str | None:
    """Why the answer ended, in lower case; None as long as it has not. Some send a number, or an object."""
    value = choice.get("finish_reason")
    if isinstance(value, dict):
        return (text(value, "type") or text(value, "reason") or "other").lower()
    if isinstance(value, str):
        return value.lower() or None
    return None if value is None or value is False else "other"


def _text(said: Json) -> str:
    """The content, which some send as parts; a refusal counts as what the model said."""
    content = said.get("content")
    if isinstance(content, str) and content:
        return content
    parts = content if isinstance(content, list) else [content]
    return "".join(map(_part, parts)) or piece(said, "refusal")


def _part(part: object) -> str:
    """The text of a part, which is not one of the model's reasoning."""
    if isinstance(part, str):
        return part
    reasoning = isinstance(part, dict) and part.get("type") in {"thinking", "reasoning"}
    return piece(part, "text") if isinstance(part, dict) and not reasoning else ""


def _content(turn: Turn) -> str | list[Json]:
    """What was written, with the images attached."""
    if not turn.images:
        return turn.text
    images: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in turn.images]
    return [{"type": "text", "text": turn.text}, *images]


def _function(tool: Tool) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": parameters(tool)}
    return {"type": "function", "function": function}
