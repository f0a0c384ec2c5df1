"""An answer in the Agent interface, event by event, and how Perplexity writes its events."""

import json
import time
import uuid
from collections import deque
from collections.abc import Iterator

from discordianai.sandbox.providers.api_errors import QUOTA_CODES
from discordianai.sandbox.providers.model_catalog import OLD_PRESETS, PRESETS
from discordianai.sandbox.providers.perplexity.agent_request import (
    AgentRequest,
    PerplexityToolChoice,
)
from discordianai.sandbox.providers.provider_faults import ErrorShape, Fault, FaultKind
from discordianai.sandbox.providers.request_items import FunctionTool
from discordianai.sandbox.providers.scripted_answers import (
    COMMENTARY,
    DECLINED,
    ScriptedAnswer,
    ScriptedSource,
    arguments_for,
    compose,
    pieces_of,
    query_for,
    wants_the_web,
)
from discordianai.sandbox.providers.scripted_stream import (
    AcceptedQuestion,
    EventFraming,
    Json,
    Step,
    StepDelay,
)

_MISSING = (2, 17, 19)
"""Sequence numbers that the recorded streams lack, of each twenty."""
SEARCH_TOKENS = 2700
"""Input tokens that a search adds."""
SEARCH_COST = 0.0025
"""Dollars."""


class AgentReply:
    """Perplexity's answer to one request, with its fault."""

    def __init__(
        self,
        response_id: str,
        request: AgentRequest,
        body: Json,
        question: AcceptedQuestion,
        fault: Fault | None,
    ):
        self.id = response_id
        self._request = request
        self._body = body
        self._question = question.newest
        self._earlier = question.earlier
        self._input_tokens = question.tokens
        self._kind = fault.kind if fault else None
        self._created = int(time.time())
        self._output: list[Json] = []
        self._written = 0
        self._searches = 0
        self._ending: tuple[str, str | None] = ("completed", None)

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        yield Step({"type": "response.created", "response": self._response("in_progress")})
        yield Step({"type": "response.in_progress", "response": self._response("in_progress")})
        if function := self._called():
            yield from self._call(function)
        else:
            yield from self._answer()
        status, reason = self._ending
        yield Step({"type": f"response.{status}", "response": self._response(status, reason=reason)})

    def whole(self) -> Json:
        """See `Script`."""
        response: Json = deque(self.steps(), maxlen=1).pop().event["response"]
        return response

    def failure(self, fault: Fault) -> list[Json]:
        """See `Script`: the error stands at the top level, without a response beside it."""
        error = _error(fault)
        match fault.shape:
            case ErrorShape.NESTED:
                return [{"type": "error", "error": {**error, "code": fault.status}}]
            case ErrorShape.FLAT:
                return [{**error, "type": "error"}]
            case ErrorShape.USUAL | ErrorShape.FAILED:
                return [{"type": "response.failed", "error": error}]

    def failed(self, fault: Fault) -> Json:
        """See `Script`."""
        return self._response("failed", error=_error(fault))

    def cancelled(self) -> Json:
        """The event that ends a cancelled run."""
        return {"type": "response.cancelled", "response": self.cancelled_whole()}

    def cancelled_whole(self) -> Json:
        """A cancelled run as one object."""
        return self._response("cancelled", error={"message": "The run was cancelled.", "type": "cancelled"})

    def _answer(self) -> Iterator[Step]:
        searches = self._searches_the_web()
        answer = self._made(searches)
        if self._kind is FaultKind.REASONING:
            yield Step({"type": "response.reasoning.started", "thought": "Thinking about the question..."})
        for number, found in enumerate(_split(answer.sources, self._kind) if searches else ()):
            yield from self._search(found, number)
        if self._kind is FaultKind.REASONING:
            yield Step({"type": "response.reasoning.stopped", "thought": "Finished thinking."})
        if self._kind is FaultKind.THOUGHT_ONLY:
            self._ending = ("incomplete", "max_output_tokens")
            return
        if self._kind is FaultKind.TWO_MESSAGES:
            yield from self._message(COMMENTARY)
        yield from self._message(self._cut(answer.text))

    def _made(self, searches: bool) -> ScriptedAnswer:
        match self._kind:
            case FaultKind.EMPTY:
                return ScriptedAnswer("")
            case FaultKind.REFUSAL:
                return ScriptedAnswer(DECLINED)
            case FaultKind.UNCITED:
                cited = compose("Perplexity", self._question, self._earlier, sources=True)
                plain = compose("Perplexity", self._question, self._earlier, sources=False)
                return ScriptedAnswer(plain.text, cited.sources)
            case _:
                return compose("Perplexity", self._question, self._earlier, sources=searches)

    def _cut(self, text: str) -> str:
        limit = self._request.max_output_tokens
        max_length = None if limit is None else 4 * max(16, limit)
        if self._kind is FaultKind.FILTER:
            self._ending = ("incomplete", "content_filter")
            return text[: len(text) // 2]
        over = max_length is not None and len(text) > max_length
        if self._kind is FaultKind.LENGTH or (over and self._kind is not FaultKind.LENGTH_UNTOLD):
            self._ending = ("incomplete", "max_output_tokens")
        return text if max_length is None else text[:max_length]

    def _called(self) -> FunctionTool | None:
        """The client's function that the model calls instead of answering."""
        offered, choice = self._request.functions, self._request.tool_choice
        if isinstance(choice, PerplexityToolChoice) and choice.type == "function":
            return next((function for function in offered if choice.name in (None, function.name)), None)
        if not offered or choice == "none" or self._kind in _TEXT_FAULTS:
            return None
        return offered[0] if choice == "required" or wants_the_web(self._question) else None

    def _searches_the_web(self) -> bool:
        """A preset always searches; a model only with the tool, and reliably only where it is forced."""
        request, choice = self._request, self._request.tool_choice
        if (
            choice == "none"
            or request.max_tool_calls == 0
            or self._kind in (FaultKind.NO_SOURCES, FaultKind.REFUSAL)
        ):
            return False
        if request.chosen_preset is not None:
            return True
        if not any(tool.type == "web_search" for tool in request.tools or ()):
            return False
        forced = choice == "required" or (
            isinstance(choice, PerplexityToolChoice) and choice.type == "web_search"
        )
        demanded = self._kind in (FaultKind.SEARCHES, FaultKind.CLASHING_IDS, FaultKind.UNCITED)
        return forced or demanded or wants_the_web(self._question)

    def _search(self, found: list[Json], number: int) -> Iterator[Step]:
        index = len(self._output)
        call_id = f"call_{uuid.uuid4()}"
        query = query_for(self._question) + (f" ({number + 1})" if number else "")
        call = {"type": "function_call", "id": f"fc_{uuid.uuid4()}", "call_id": call_id, "name": "search_web"}
        call |= {"arguments": json.dumps({"queries": [query]}), "status": "completed"}
        item = {"type": "search_results", "queries": [query], "results": found}
        kind = "response.reasoning"
        yield Step({"type": "response.output_item.added", "output_index": index, "item": call})
        event: Json = {"type": f"{kind}.search_queries", "call_id": call_id, "queries": [query]}
        yield Step({**event, "thought": "Searching the web..."})
        event = {"type": f"{kind}.search_results", "call_id": call_id, "results": found}
        yield Step({**event, "thought": f"Found {len(found)} results"})
        self._searches += 1
        self._output.append(item)
        yield Step({"type": "response.output_item.done", "output_index": index, "item": item})

    def _call(self, function: FunctionTool) -> Iterator[Step]:
        """The client's function comes whole: there are no events for its arguments."""
        arguments = arguments_for(self._question, function.parameters)
        item = {"type": "function_call", "id": f"fc_{uuid.uuid4()}", "call_id": f"call_{uuid.uuid4()}"}
        item |= {"name": function.name, "arguments": arguments, "status": "completed"}
        at = {"output_index": len(self._output), "item": item}
        self._written += len(arguments)
        yield Step({"type": "response.output_item.added", **at}, StepDelay.FIRST)
        self._output.append(item)
        yield Step({"type": "response.output_item.done", **at}, StepDelay.PIECE)

    def _message(self, text: str) -> Iterator[Step]:
        index = len(self._output)
        item: Json = {"type": "message", "id": f"msg_{uuid.uuid4()}", "role": "assistant"}
        item |= {"status": "completed", "content": None}
        at = {"item_id": item["id"], "output_index": index, "content_index": 0}
        yield Step(
            {"type": "response.output_item.added", "output_index": index, "item": dict(item)}, StepDelay.FIRST
        )
        for piece in pieces_of(text):
            yield Step({"type": "response.output_text.delta", **at, "delta": piece}, StepDelay.PIECE)
        yield Step({"type": "response.output_text.done", **at, "text": text})
        item["content"] = [{"type": "output_text", "text": text, "annotations": []}]
        self._written += len(text)
        self._output.append(item)
        yield Step({"type": "response.output_item.done", "output_index": index, "item": item})

    def _model(self, *, known: bool) -> str:
        """The model that answers; until it is `known`, the name of the preset."""
        request = self._request
        named = request.model or (request.models[0] if request.models else None)
        if named is not None:
            return named
        preset = request.chosen_preset or "fast"
        return PRESETS[OLD_PRESETS.get(preset, preset)] if known else preset

    def _usage(self) -> Json:
        input_tokens = self._input_tokens + SEARCH_TOKENS * self._searches
        output_tokens = self._written // 4
        limit = self._request.max_output_tokens
        if self._kind in (FaultKind.LENGTH_UNTOLD, FaultKind.THOUGHT_ONLY) and limit is not None:
            output_tokens = limit
        cost, searched = input_tokens * 1e-7, SEARCH_COST * self._searches
        usage: Json = {
            "input_tokens": input_tokens,
            "input_tokens_details": {
                "cached_tokens": 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input_tokens + output_tokens,
            "cost": {
                "currency": "USD",
                "input_cost": round(cost, 8),
                "output_cost": round(output_tokens * 5e-7, 8),
                "cache_read_cost": 0,
                "tool_calls_cost": searched,
                "total_cost": round(cost + output_tokens * 5e-7 + searched, 8),
            },
        }
        if self._searches:
            usage["tool_calls_details"] = {"search_web": {"invocation": self._searches, "cost_usd": searched}}
            usage["cost"]["tool_calls_cost_details"] = {"search_web": searched}
        return usage

    def _response(self, status: str, *, error: Json | None = None, reason: str | None = None) -> Json:
        over = status != "in_progress"
        request, body = self._request, self._body
        effort = request.reasoning.effort if request.reasoning else None
        wants_usage = request.stream_options is None or request.stream_options.include_usage is not False
        response: Json = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if over else None,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model(known=over),
            "output": list(self._output) if over else [],
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "reasoning": {"effort": effort, "summary": None} if effort else None,
            "safety_identifier": None,
            "service_tier": "default",
            "store": request.store is not False,
            "temperature": 1 if request.temperature is None else request.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_logprobs": 0,
            "top_p": 1 if request.top_p is None else request.top_p,
            "truncation": "",
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "usage": self._usage() if over and wants_usage else None,
            "user": None,
            "metadata": {},
        }
        for name in _ECHOED:
            response[name] = body.get(name)
        return response


_ECHOED = ("instructions", "max_output_tokens", "max_tool_calls", "previous_response_id", "prompt_cache_key")

_TEXT_FAULTS = frozenset(
    {
        FaultKind.EMPTY,
        FaultKind.LENGTH,
        FaultKind.FILTER,
        FaultKind.REFUSAL,
        FaultKind.TWO_MESSAGES,
        FaultKind.SEARCHES,
        FaultKind.CLASHING_IDS,
    }
)
"""Faults of a text answer: with one of them, the model calls no function."""


def _split(sources: tuple[ScriptedSource, ...], kind: FaultKind | None) -> list[list[Json]]:
    """The results of each search: the ids continue from one to the next, unless they are to clash."""
    found = [_result(number, source) for number, source in enumerate(sources, start=1)]
    if kind is FaultKind.CLASHING_IDS:
        return [found[:1], [{**result, "id": result["id"] - 1} for result in found[1:]]]
    return [found[:1], found[1:]] if kind is FaultKind.SEARCHES else [found]


def _result(number: int, source: ScriptedSource) -> Json:
    result = {"id": number, "title": source.title, "url": source.url, "snippet": source.snippet}
    return {**result, "source": "web", "date": source.date, "last_updated": source.date}


def _error(fault: Fault) -> Json:
    kind = "insufficient_quota" if fault.code in QUOTA_CODES else fault.code or "internal_error"
    return {"message": fault.message, "type": kind, "code": kind}


def framing(*, event_lines: bool) -> EventFraming:
    """A stream of `POST /v1/agent`: its keep-alives are empty lines."""
    return EventFraming(
        "text/event-stream", dump=dump, number=sequence_number, event_lines=event_lines, keep_alive=b"\n"
    )


def dump(event: Json) -> str:
    """One line of JSON."""
    rest = {key: value for key, value in event.items() if key != "type"}
    ordered = {key: _sorted(rest[key]) for key in sorted(rest)} | {"type": event["type"]}
    line = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    for character in "&<>\u2028\u2029":
        line = line.replace(character, f"\\u{ord(character):04x}")
    return line


def sequence_number(count: int) -> int:
    """The number of the n-th event: it grows, with gaps."""
    kept = [number for number in range(20) if number not in _MISSING]
    rounds, place = divmod(count, len(kept))
    return 20 * rounds + kept[place]


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
