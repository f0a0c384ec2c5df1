"""OpenAI's Responses interface: `POST /responses`.

Answers of Perplexity's Agent interface are read here, too. It differs in this: its own search comes as a call
of a function that was not offered, its sources are search results instead of annotations, its failed event
has the error at the top level, and its runs can be cancelled. All of that is read wherever it occurs; nothing
here depends on the provider.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from discordianai.providers import failures
from discordianai.providers.answer_parts import (
    LONGEST_ID,
    MOST_TEXT,
    BoundedText,
    Sources,
    ThoughtFilter,
    ToolCalls,
)
from discordianai.providers.error_body import told_error
from discordianai.providers.errors import ConnectionLost, MalformedAnswer
from discordianai.providers.json_values import Json, NotJson, count, parse_all, piece, table, tables, text
from discordianai.providers.options import ProviderOptions, dialect_of
from discordianai.providers.port import End, Event, SearchQuery, SourceList, TextDelta, UsageReport
from discordianai.providers.usage_report import is_search, usage, with_searches
from discordianai.records import (
    ChatRequest,
    Dialect,
    FinishReason,
    Provider,
    Role,
    SearchMode,
    Tool,
    Turn,
    Usage,
)
from discordianai.text import GrowingText

LEAST_OUTPUT_TOKENS = 16
"""The least that OpenAI accepts. Perplexity takes smaller numbers for it."""

HOSTED_SEARCH = "web_search"

MOST_SEARCHES = 5
"""Of one request. OpenAI is told so, for each search is charged; of others it is an assumption."""


class ResponsesCodec:
    """See `Codec`. Nothing is stored at OpenAI: the history is sent with each question."""

    path = "/responses"

    def __init__(self, provider: Provider, options: ProviderOptions) -> None:
        self._provider = provider
        self._options = options

    def encode(self, request: ChatRequest) -> Json:
        """See `Codec.encode`."""
        options = self._options
        body: Json = {
            "model": request.model,
            "input": [_item(turn) for turn in request.turns],
            "stream": True,
            "stream_options": {"include_obfuscation": False},
            "store": False,
        }
        optional: Json = {
            "instructions": request.instructions,
            "safety_identifier": request.person,
            "prompt_cache_key": request.conversation,
            "max_output_tokens": most_tokens(options),
            "reasoning": options.reasoning_effort and {"effort": options.reasoning_effort},
            "text": options.verbosity and {"verbosity": options.verbosity},
        }
        body |= {key: value for key, value in optional.items() if value}
        body |= _tools(request)
        if request.search is not SearchMode.OFF and dialect_of(options.base_url) is Dialect.RESPONSES:
            body["max_tool_calls"] = MOST_SEARCHES  # other hosts need not know it
        return body

    def decoder(self, request: ChatRequest, _request_id: str) -> "ResponsesDecoder":
        """See `Codec.decoder`."""
        return ResponsesDecoder(self._provider, request.tools)

    def cancel_path(self, _run_id: str) -> None:
        """Only background responses can be cancelled; closing the stream has to do."""
        return


def _item(turn: Turn) -> Json:
    """A message; plain text is accepted for every role, parts are needed only for more than text."""
    if turn.role is Role.ASSISTANT:
        # Answers get worse where the final one is not distinguished from commentary.
        return {"type": "message", "role": turn.role.value, "content": turn.text, "phase": "final_answer"}
    return {"type": "message", "role": turn.role.value, "content": content(turn)}


def most_tokens(options: ProviderOptions) -> int | None:
    """The limit of an answer; None where that is left to the model."""
    most = options.max_answer_tokens
    return None if most is None else max(most, LEAST_OUTPUT_TOKENS)


def content(turn: Turn) -> str | list[Json]:
    """What a person wrote, with the images and documents attached."""
    if not turn.images and not turn.files:
        return turn.text
    parts: list[Json] = [{"type": "input_text", "text": turn.text}]
    parts += [{"type": "input_image", "image_url": url} for url in turn.images]
    parts += [{"type": "input_file", "file_url": file.url} for file in turn.files]
    return parts


def _tools(request: ChatRequest) -> Json:
    tools: list[Json] = [_function(tool) for tool in request.tools]
    choice: Json = {}
    if request.search is not SearchMode.OFF:
        tools.append({"type": HOSTED_SEARCH})
    if request.search is SearchMode.REQUIRED:
        choice = {"tool_choice": {"type": HOSTED_SEARCH}}
    return {"tools": tools, "parallel_tool_calls": False, **choice} if tools else {}


def _function(tool: Tool) -> Json:
    """A function that takes one text."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "strict": True,
        "parameters": parameters(tool),
    }


def parameters(tool: Tool) -> Json:
    """The schema of a function's arguments."""
    return {
        "type": "object",
        "properties": {tool.parameter: {"type": "string", "description": tool.meaning}},
        "required": [tool.parameter],
        "additionalProperties": False,
    }


MOST_PARTS = 1000
"""Messages of one answer, and parts of messages."""

MOST_WITH_THOUGHTS = 2 * MOST_TEXT
"""Characters of an answer with its thoughts, which nobody is shown."""

LONGEST_QUERY = 300
"""Characters of a query that are handed on, to be shown."""

_REASONS = {
    "max_output_tokens": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
}

_STATUS_OF_EVENT = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
    "error": "failed",
}
"""The terminal events; exactly one of them ends a stream."""


@dataclass(slots=True)
class _Part:
    """The text so far of one part of a message; complete once it is `done`."""

    text: GrowingText = field(default_factory=GrowingText)
    length: int = 0
    done: bool = False

    def rest(self, words: str) -> str:
        """What `words`, the complete text, has more; nothing if it is another one, or was complete before."""
        if self.done or len(words) <= self.length:
            return ""
        return words[self.length :] if words.startswith(str(self.text)) else ""


class ResponsesDecoder:
    """See `Decoder`. `most_tokens` is the limit of the answer, where one was set."""

    def __init__(
        self, provider: Provider, tools: tuple[Tool, ...], run_id: str = "", most_tokens: int | None = None
    ) -> None:
        self._provider = provider
        self._most_tokens = most_tokens
        self._calls = ToolCalls(tools)
        self._sources = Sources()
        self._parts: dict[tuple[int, int], _Part] = {}
        self._came = 0
        self._last_item: int | None = None
        self._searches: set[str] = set()
        self._text = BoundedText()
        self._thoughts = ThoughtFilter()
        self.ended = False
        self.begun = False
        self.run_id = run_id

    def decode(self, data: str) -> Iterator[Event]:
        """See `Decoder.decode`."""
        try:
            events = parse_all(data)  # some forget the empty line between events
        except NotJson:
            return  # a keep-alive: some come as data
        for event in events:
            if not self.ended:
                yield from self._decode(event)

    def _decode(self, event: Json) -> Iterator[Event]:
        kind = text(event, "type")
        self.begun = self.begun or kind.endswith((".delta", ".done", ".added"))
        if status := _STATUS_OF_EVENT.get(kind):
            told = text(table(event, "response"), "status")
            worse = status == "completed" and told in _STATUS_OF_EVENT.values()
            yield from self._end(told if worse else status, event)
        elif (read := _READERS.get(kind)) is not None:
            yield from read(
                self, event, count(event, "output_index") or 0, count(event, "content_index") or 0
            )
            if self._text.full:
                yield End(FinishReason.LENGTH)

    def close(self) -> Iterator[Event]:
        """See `Decoder.close`: without its terminal event an answer is never complete."""
        return iter(())

    def decode_whole(self, body: Json) -> Iterator[Event]:
        """See `Decoder.decode_whole`."""
        self.run_id = text(body, "id") or self.run_id
        untold = "failed" if told_error(body) else "completed" if "output" in body else "unknown"
        yield from self._end(text(body, "status") or untold, {"response": body})

    def _created(self, event: Json, _index: int, _part: int) -> Iterator[Event]:
        self.run_id = text(table(event, "response"), "id") or self.run_id
        return iter(())

    def _delta(self, event: Json, index: int, part: int) -> Iterator[Event]:
        return self._say(index, part, piece(event, "delta"))

    def _text_done(self, event: Json, index: int, part: int) -> Iterator[Event]:
        return self._say_rest(index, part, piece(event, "text") or piece(event, "refusal"))

    def _annotation(self, event: Json, _index: int, _part: int) -> Iterator[Event]:
        return self._cite([table(event, "annotation")])

    def _search_queries(self, event: Json, _index: int, _part: int) -> Iterator[Event]:
        """Perplexity's own; of several, the first is enough to show."""
        queries = event.get("queries")
        first = queries[0] if isinstance(queries, list) and queries else ""
        if query := text({"query": first}, "query")[:LONGEST_QUERY]:
            yield SearchQuery(query)

    def _search_results(self, event: Json, _index: int, _part: int) -> Iterator[Event]:
        return self._cite(tables(event, "results"))

    def _arguments_delta(self, event: Json, index: int, _part: int) -> Iterator[Event]:
        self._calls.add(index, "", piece(event, "delta"))
        return iter(())

    def _arguments_done(self, event: Json, index: int, _part: int) -> Iterator[Event]:
        self._calls.replace(index, text(event, "name"), piece(event, "arguments"))
        return iter(())

    def _item_added(self, event: Json, index: int, _part: int) -> Iterator[Event]:
        """Only a call says something at its beginning: its name."""
        item = table(event, "item")
        if item.get("type") == "function_call":
            self._calls.add(index, text(item, "name"), "")
        return iter(())

    def _item_done(self, event: Json, index: int, _part: int) -> Iterator[Event]:
        return self._item(index, table(event, "item"))

    def _item(self, index: int, item: Json) -> Iterator[Event]:
        """A complete item: what of it has not come yet."""
        match item.get("type"):
            case "message":
                yield from self._message(index, item, say=True)
            case "web_search_call":
                if is_search(item) and len(self._searches) < MOST_PARTS:
                    self._searches.add(text(item, "id")[:LONGEST_ID] or str(index))
                if query := text(table(item, "action"), "query")[:LONGEST_QUERY]:
                    yield SearchQuery(query)
            case "search_results":
                yield from self._cite(tables(item, "results"))
            case "function_call":
                self._calls.replace(index, text(item, "name"), piece(item, "arguments"))
                if call := self._calls.whole(index):
                    yield call

    def _message(self, index: int, item: Json, *, say: bool) -> Iterator[Event]:
        for number, part in enumerate(tables(item, "content")):
            if say:
                yield from self._say_rest(index, number, piece(part, "text") or piece(part, "refusal"))
            yield from self._cite(tables(part, "annotations"))

    def _say_rest(self, index: int, part: int, words: str) -> Iterator[Event]:
        """The complete text of a part: yields what did not come before; later pieces of it are ignored."""
        before = self._parts.get((index, part), _Part())
        yield from self._say(index, part, before.rest(words))
        if words:
            self._parts.setdefault((index, part), before).done = True

    def _say(self, index: int, part: int, words: str) -> Iterator[Event]:
        """More text of a part of an item; each further message begins a new paragraph."""
        said = self._parts.get((index, part)) or _Part()
        if not words or said.done:
            return
        self._came += len(words)
        if len(self._parts) > MOST_PARTS or self._came > MOST_WITH_THOUGHTS:
            self._text.full = True
            return
        self._parts[index, part] = said
        said.text.append(words)
        said.length += len(words)
        if words := self._thoughts.take(words):
            yield from self._show(index, words)

    def _show(self, index: int | None, words: str) -> Iterator[Event]:
        if self._last_item not in {None, index}:
            words = "\n\n" + words
        self._last_item = index
        if taken := self._text.take(words):
            yield TextDelta(taken)

    def _cite(self, results: Iterable[Json]) -> Iterator[Event]:
        if self._sources.add(results):
            yield SourceList(self._sources.citations)

    def _end(self, status: str, event: Json) -> Iterator[Event]:
        if status not in _STATUS_OF_EVENT.values():
            raise MalformedAnswer(self._provider, "the answer ends in a state that is no end")
        self.ended = True
        response = table(event, "response")
        if status == "failed":
            raise failures.from_event(self._provider, _error_of(event))
        if status == "cancelled":
            raise ConnectionLost(self._provider, "the run was cancelled")
        # Indexes in a complete response need not be those of its events: all of its text is taken, or none.
        nothing_said = not self._parts
        for index, item in enumerate(tables(response, "output")):
            if item.get("type") == "message":
                yield from self._message(index, item, say=nothing_said)
            else:
                yield from self._item(index, item)
        if words := self._thoughts.close():
            yield from self._show(self._last_item, words)
        if call := self._calls.whole():
            yield call
        counted = usage(table(response, "usage"), "input_tokens", "output_tokens")
        if counted is not None:
            yield UsageReport(with_searches(counted, response, len(self._searches)))
        yield End(self._reason(status, response, counted))

    def _reason(self, status: str, response: Json, counted: Usage | None) -> FinishReason:
        if self._text.full:
            return FinishReason.LENGTH
        if status == "incomplete":
            return _REASONS.get(text(table(response, "incomplete_details"), "reason"), FinishReason.OTHER)
        # Perplexity was seen to call a cut answer complete.
        most = self._most_tokens
        cut = most is not None and counted is not None and counted.output_tokens >= most
        return FinishReason.LENGTH if cut else FinishReason.STOP


_READERS: Mapping[str, Callable[[ResponsesDecoder, Json, int, int], Iterator[Event]]] = {
    "response.created": ResponsesDecoder._created,
    "response.output_text.delta": ResponsesDecoder._delta,
    "response.refusal.delta": ResponsesDecoder._delta,
    "response.output_text.done": ResponsesDecoder._text_done,
    "response.refusal.done": ResponsesDecoder._text_done,
    "response.output_text.annotation.added": ResponsesDecoder._annotation,
    "response.reasoning.search_queries": ResponsesDecoder._search_queries,
    "response.reasoning.search_results": ResponsesDecoder._search_results,
    "response.function_call_arguments.delta": ResponsesDecoder._arguments_delta,
    "response.function_call_arguments.done": ResponsesDecoder._arguments_done,
    "response.output_item.added": ResponsesDecoder._item_added,
    "response.output_item.done": ResponsesDecoder._item_done,
}
"""By the type of the event; others are ignored. Each takes the event, and its indexes in the output."""


def _error_of(event: Json) -> Json:
    """In the response, at the top, or flat: `{"type": "error", "code": ..., "message": ...}`."""
    flat = {key: value for key, value in event.items() if key != "type"}
    return told_error(table(event, "response")) or told_error(event) or flat
