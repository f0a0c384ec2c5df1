"""Chat completions, `POST /chat/completions`: OpenAI's former interface, which other endpoints imitate."""

from collections.abc import Iterator

from discordianai.providers import failures
from discordianai.providers.answer_parts import BoundedText, Sources, ToolCalls, usage
from discordianai.providers.errors import MalformedAnswer
from discordianai.providers.json_values import Json, NotJson, count, parse, piece, table, tables, text
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import End, Event, SourceList, TextDelta, UsageReport
from discordianai.providers.responses import parameters
from discordianai.records import ChatRequest, FinishReason, Provider, Role, Tool, Turn, Usage

DONE = "[DONE]"

_REASONS = {
    "stop": FinishReason.STOP,
    "tool_calls": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
}


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
        self._sources = Sources()
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._text = BoundedText()
        self.ended = False

    def decode(self, data: str) -> Iterator[Event]:
        """See `Decoder.decode`."""
        if data.strip() == DONE:
            yield from self._end()
            return
        try:
            chunk = parse(data)
        except NotJson:
            raise MalformedAnswer(self._provider, "an event is not JSON") from None
        yield from self._read(chunk, "delta")
        if self._text.full:
            yield End(FinishReason.LENGTH)

    def decode_whole(self, body: Json) -> Iterator[Event]:
        """See `Decoder.decode_whole`."""
        yield from self._read(body, "message")
        yield from self._end()

    def close(self) -> Iterator[Event]:
        """See `Decoder.close`: some send no `[DONE]`."""
        if self._reason is not None:
            yield from self._end()

    def _read(self, chunk: Json, part: str) -> Iterator[Event]:
        if problem := failures.error_object(chunk):
            raise failures.from_event(self._provider, problem)
        choice = next(tables(chunk, "choices"), {})
        said = table(choice, part)
        for number, piece_of_call in enumerate(tables(said, "tool_calls")):
            named = table(piece_of_call, "function")
            key = count(piece_of_call, "index") or number
            self._calls.add(key, text(named, "name"), piece(named, "arguments"))
        if self._sources.add(tables(chunk, "search_results")):
            yield SourceList(self._sources.citations)
        if words := self._text.take(_text(said)):
            yield TextDelta(words)
        if reason := text(choice, "finish_reason"):
            self._reason = _REASONS.get(reason, FinishReason.OTHER)
            if call := self._calls.whole():
                yield call
        counted = usage(table(chunk, "usage"), "prompt_tokens", "completion_tokens")
        self._usage = counted or self._usage  # some tell with every chunk

    def _end(self) -> Iterator[Event]:
        """Raises `MalformedAnswer` if nothing of an answer has come."""
        if not self.ended:
            self.ended = True
            if self._reason is None and self._text.empty and not self._calls.begun:
                raise MalformedAnswer(self._provider, "an answer with nothing in it")
            if call := self._calls.whole():
                yield call
            if self._usage is not None:
                yield UsageReport(self._usage)
            yield End(FinishReason.LENGTH if self._text.full else self._reason or FinishReason.OTHER)


def _text(said: Json) -> str:
    """The content, which some send as parts; a refusal counts as what the model said."""
    content = piece(said, "content") or "".join(piece(part, "text") for part in tables(said, "content"))
    return content or piece(said, "refusal")


def _content(turn: Turn) -> str | list[Json]:
    """What was written, with the images attached."""
    if not turn.images:
        return turn.text
    images: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in turn.images]
    return [{"type": "text", "text": turn.text}, *images]


def _function(tool: Tool) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": parameters(tool)}
    return {"type": "function", "function": function}
