"""An answer in the Responses interface, event by event."""

import re
import time
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any

from discordianai.sandbox.providers import calling
from discordianai.sandbox.providers.answers import Answer, compose
from discordianai.sandbox.providers.faults import Fault, Kind, Shape
from discordianai.sandbox.providers.models import OPENAI, REASONING_TOKENS
from discordianai.sandbox.providers.openai.requests import ChosenFunction, Function, ResponsesRequest
from discordianai.sandbox.providers.script import Json, Pause, Question, Step, pieces_of

DECLINED = "I’m sorry, but I can’t help with that."
COMMENTARY = "Let me look at this from two sides."
THOUGHTS = ("**Weighing the question**\n\nIt has two sides.", "**Deciding**\n\nThe second one weighs more.")
_CITED = re.compile(r"\[(\d+)\]")


class ResponsesReply:
    """One answer of OpenAI's, as its fault has it."""

    def __init__(self, request: ResponsesRequest, body: Json, question: Question, fault: Fault | None):
        self._request = request
        self._body = body
        self._question = question.newest
        self._earlier = question.earlier
        self._asked = question.tokens
        self._kind = fault.kind if fault else None
        self._id = f"resp_{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._output: list[Json] = []
        self._written = 0
        self._searches = 0
        self._index = 0
        self._paused = False
        self._ending: tuple[str, str | None] = ("completed", None)

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        yield Step({"type": "response.created", "response": self._response("in_progress")})
        yield Step({"type": "response.in_progress", "response": self._response("in_progress")})
        yield from self._items()
        status, reason = self._ending
        yield Step({"type": f"response.{status}", "response": self._response(status, reason=reason)})

    def whole(self) -> Json:
        """See `Script`."""
        response: Json = deque(self.steps(), maxlen=1).pop().event["response"]
        return response

    def failure(self, fault: Fault) -> list[Json]:
        """See `Script`."""
        error = _error(fault)
        nested = {"type": "error", "error": {"type": _type(error["code"]), **error, "param": fault.param}}
        failed = {"type": "response.failed", "response": self._response("failed", error=error)}
        match fault.shape:
            case Shape.NESTED:
                return [nested]
            case Shape.FLAT:
                return [{"type": "error", **error, "param": fault.param}]
            case Shape.FAILED:
                return [failed]
            case Shape.USUAL:
                return [nested, failed]

    def failed(self, fault: Fault) -> Json:
        """See `Script`."""
        return self._response("failed", error=_error(fault))

    def _items(self) -> Iterator[Step]:
        yield from self._reasoning()
        if self._kind is Kind.THOUGHT_ONLY or self._left() <= 0:
            self._ending = ("incomplete", "max_output_tokens")
        elif self._kind is Kind.REFUSAL:
            yield from self._message(DECLINED, refuses=True)
        elif function := self._called():
            yield from self._call(function)
        else:
            yield from self._answer()

    def _answer(self) -> Iterator[Step]:
        searches = self._looks_things_up()
        answer = compose("OpenAI", self._question, self._earlier, sources=searches)
        if self._kind is Kind.EMPTY:
            answer = Answer("")
        if searches:
            for number in range(2 if self._kind in (Kind.SEARCHES, Kind.CLASHING_IDS) else 1):
                yield from self._search(answer, number)
        if self._kind is Kind.TWO_MESSAGES:
            yield from self._message(COMMENTARY, phase="commentary")
        text, annotations = _cited(answer, uncited=self._kind is Kind.UNCITED)
        room = self._left() * 4
        match self._kind:
            case Kind.LENGTH:
                self._ending = ("incomplete", "max_output_tokens")
            case Kind.FILTER:
                self._ending = ("incomplete", "content_filter")
                text = text[: len(text) // 2]
        if len(text) > room:
            text, self._ending = text[: int(room)], ("incomplete", "max_output_tokens")
        annotations = [each for each in annotations if each["end_index"] <= len(text)]
        yield from self._message(text, annotations=annotations)

    def _called(self) -> Function | None:
        """The function that the model calls instead of answering."""
        offered, choice = self._request.functions, self._request.tool_choice
        if isinstance(choice, ChosenFunction):
            return next(function for function in offered if function.name == choice.name)
        shaped = self._kind in _SHAPES
        if not offered or choice == "none" or shaped:
            return None
        return offered[0] if choice == "required" or calling.wants_the_web(self._question) else None

    def _looks_things_up(self) -> bool:
        choice = self._request.tool_choice
        if not self._request.searches or choice == "none" or self._kind is Kind.NO_SOURCES:
            return False
        forced = choice == "required" or getattr(choice, "type", None) == "web_search"
        told = self._kind in (Kind.SEARCHES, Kind.CLASHING_IDS, Kind.UNCITED)
        return forced or told or calling.wants_the_web(self._question)

    def _reasoning(self) -> Iterator[Step]:
        """Silent between its first event and its last, unless summaries were asked for."""
        if not self._thought():
            return
        options = self._request.reasoning
        told = self._kind is Kind.REASONING or (options is not None and options.summary is not None)
        item: Json = {"id": _new("rs"), "type": "reasoning", "summary": []}
        yield Step(self._added({**item, "encrypted_content": ""}))
        for number, thought in enumerate(THOUGHTS if told else ()):
            yield from self._summary(item, number, thought)
        item["encrypted_content"] = "c2FuZGJveA=="
        yield Step(self._done(item), self._first())

    def _summary(self, item: Json, number: int, thought: str) -> Iterator[Step]:
        at = {"item_id": item["id"], "output_index": self._index, "summary_index": number}
        kind, part = "response.reasoning_summary", {"type": "summary_text", "text": thought}
        yield Step({"type": f"{kind}_part.added", **at, "part": {**part, "text": ""}})
        for piece in pieces_of(thought):
            yield Step({"type": f"{kind}_text.delta", **at, "delta": piece, **self._padding(piece)})
        yield Step({"type": f"{kind}_text.done", **at, "text": thought})
        yield Step({"type": f"{kind}_part.done", **at, "part": part})
        item["summary"] = [*item["summary"], part]

    def _search(self, answer: Answer, number: int) -> Iterator[Step]:
        item: Json = {"id": _new("ws"), "type": "web_search_call", "status": "in_progress"}
        at = {"item_id": item["id"], "output_index": self._index}
        self._searches += 1
        yield Step(self._added(dict(item)))
        for stage in ("in_progress", "searching", "completed"):
            yield Step({"type": f"response.web_search_call.{stage}", **at})
        query = calling.query_for(self._question) + (f" ({number + 1})" if number else "")
        action: Json = {"type": "search", "query": query, "queries": [query]}
        if "web_search_call.action.sources" in (self._request.include or ()):
            action["sources"] = [{"type": "url", "url": source.url} for source in answer.sources]
        yield Step(self._done({**item, "status": "completed", "action": action}))

    def _call(self, function: Function) -> Iterator[Step]:
        arguments = calling.arguments_for(self._question, function.parameters)
        item: Json = {"id": _new("fc"), "type": "function_call", "status": "in_progress"}
        item |= {"arguments": "", "call_id": _new("call"), "name": function.name}
        at = {"item_id": item["id"], "output_index": self._index}
        self._written += len(arguments)
        kind = "response.function_call_arguments"
        yield Step(self._added(dict(item)), self._first())
        for start in range(0, len(arguments), 8):
            piece = arguments[start : start + 8]
            yield Step({"type": f"{kind}.delta", **at, "delta": piece, **self._padding(piece)}, Pause.PIECE)
        yield Step({"type": f"{kind}.done", **at, "arguments": arguments, "name": function.name})
        yield Step(self._done({**item, "status": "completed", "arguments": arguments}))

    def _message(
        self,
        text: str,
        *,
        phase: str = "final_answer",
        annotations: list[Json] | None = None,
        refuses: bool = False,
    ) -> Iterator[Step]:
        annotations = annotations or []
        name, key = ("refusal", "refusal") if refuses else ("output_text", "text")
        extra: Json = {} if refuses else {"logprobs": []}
        item: Json = {"id": _new("msg"), "type": "message", "status": "in_progress", "role": "assistant"}
        item |= {"phase": phase, "content": []}
        at = {"item_id": item["id"], "output_index": self._index, "content_index": 0}
        empty = {"type": name, key: "", **({} if refuses else {"annotations": [], "logprobs": []})}
        yield Step(self._added(dict(item)), self._first())
        yield Step({"type": "response.content_part.added", **at, "part": empty})
        position, told = 0, 0
        for piece in pieces_of(text):
            delta = {"type": f"response.{name}.delta", **at, "delta": piece, **extra, **self._padding(piece)}
            yield Step(delta, Pause.PIECE)
            position += len(piece)
            while told < len(annotations) and annotations[told]["end_index"] <= position:
                added = {"type": "response.output_text.annotation.added", **at, "annotation_index": told}
                yield Step({**added, "annotation": annotations[told]})
                told += 1
        yield Step({"type": f"response.{name}.done", **at, key: text, **extra})
        part = {**empty, key: text, **({} if refuses else {"annotations": annotations})}
        yield Step({"type": "response.content_part.done", **at, "part": part})
        self._written += len(text)
        status = "incomplete" if self._ending[0] == "incomplete" else "completed"
        yield Step(self._done({**item, "status": status, "content": [part]}))

    def _first(self) -> Pause:
        """The pause before the model's first sign, taken once."""
        paused, self._paused = self._paused, True
        return Pause.NONE if paused else Pause.FIRST

    def _added(self, item: Json) -> Json:
        return {"type": "response.output_item.added", "output_index": self._index, "item": item}

    def _done(self, item: Json) -> Json:
        event = {"type": "response.output_item.done", "output_index": self._index, "item": item}
        self._output.append(item)
        self._index += 1
        return event

    def _padding(self, piece: str) -> Json:
        """What hides the length of a piece, unless it was switched off."""
        options = self._request.stream_options
        if options is not None and options.include_obfuscation is False:
            return {}
        return {"obfuscation": "kQ81x0Zb7pLmW3dR"[: 16 - len(piece) % 16]}

    def _effort(self) -> str:
        options = self._request.reasoning
        return (options.effort if options else None) or OPENAI[self._request.model].effort

    def _thought(self) -> int:
        """Tokens of reasoning."""
        effort = self._effort()
        if effort == "none" and self._kind in (Kind.REASONING, Kind.THOUGHT_ONLY):
            effort = "low"
        limit = self._request.max_output_tokens
        thought = REASONING_TOKENS[effort]
        if limit is not None and (self._kind is Kind.THOUGHT_ONLY or thought > limit):
            return limit
        return thought

    def _left(self) -> float:
        """How many tokens the answer may have."""
        limit = self._request.max_output_tokens
        return float("inf") if limit is None else limit - self._thought()

    def _usage(self) -> Json:
        thought, asked = self._thought(), self._asked + 4000 * self._searches
        said = self._written // 4 + thought
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": thought},
            "total_tokens": asked + said,
        }

    def _response(self, status: str, *, error: Json | None = None, reason: str | None = None) -> Json:
        over = status in ("completed", "incomplete")
        request, body = self._request, self._body
        options = request.reasoning
        text = request.text
        response: Json = {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(self._output) if over or status == "failed" else [],
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "reasoning": {
                "context": (options.context if options else None) or "all_turns",
                "effort": self._effort(),
                "summary": options.summary if options else None,
            },
            "service_tier": "default" if over else request.service_tier or "auto",
            "store": request.store is not False,
            "temperature": 1.0,
            "text": {
                "format": {"type": "text"},
                "verbosity": (text.verbosity if text else None) or "medium",
            },
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [_echoed(tool) for tool in body.get("tools") or ()],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": request.truncation or "disabled",
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "usage": self._usage() if over else None,
            "metadata": request.metadata or {},
            "moderation": None,
            "prompt_cache_retention": None,
        }
        for name in _ECHOED:
            response[name] = body.get(name)
        if over and self._searches:
            response["tool_usage"] = {
                "image_gen": _NO_PICTURES,
                "web_search": {"num_requests": self._searches},
            }
        return response


_NO_TOKENS = {"image_tokens": 0, "text_tokens": 0}
_NO_PICTURES = {"input_tokens": 0, "input_tokens_details": _NO_TOKENS, "output_tokens": 0, "total_tokens": 0}

_ECHOED = (
    "model",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
)

_SHAPES = frozenset(
    {Kind.EMPTY, Kind.LENGTH, Kind.FILTER, Kind.TWO_MESSAGES, Kind.SEARCHES, Kind.CLASHING_IDS, Kind.UNCITED}
)
"""Faults that shape the text, so that there has to be one."""


def _new(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


def _echoed(tool: dict[str, Any]) -> Json:
    """A tool with its defaults."""
    if tool["type"] == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return {"search_context_size": "medium", **tool}


def _error(fault: Fault) -> Json:
    return {"code": fault.code or "server_error", "message": fault.message}


def _type(code: str) -> str:
    """The `type` of an error inside a stream."""
    return {"server_error": "server_error", "rate_limit_exceeded": "tokens"}.get(code, code)


def _cited(answer: Answer, *, uncited: bool) -> tuple[str, list[Json]]:
    """The text with its citations as links in brackets, and where each of them stands."""
    text, annotations, rest = "", [], answer.text
    while found := _CITED.search(rest):
        text, rest = text + rest[: found.start()], rest[found.end() :]
        number = int(found[1])
        if uncited or number > len(answer.sources):
            continue
        source = answer.sources[number - 1]
        url = f"{source.url}?utm_source=openai"
        link = f"([{source.url.split('/')[2]}]({url}))"
        place = {"start_index": len(text), "end_index": len(text) + len(link)}
        annotations.append({"type": "url_citation", **place, "title": source.title, "url": url})
        text += link
    return text + rest, annotations
