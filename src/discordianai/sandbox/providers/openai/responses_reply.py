"""An answer in the Responses interface, event by event, with the citations of the hosted search."""

import re
import uuid
from collections import deque
from collections.abc import Iterator

from discordianai.sandbox.providers.openai.response_object import ResponseObject
from discordianai.sandbox.providers.openai.responses_request import (
    ChosenFunction,
    OpenAIFunctionTool,
    ResponsesRequest,
)
from discordianai.sandbox.providers.provider_faults import ErrorShape, Fault, FaultKind
from discordianai.sandbox.providers.scripted_answers import (
    COMMENTARY,
    DECLINED,
    ScriptedAnswer,
    arguments_for,
    compose,
    pieces_of,
    query_for,
    wants_the_web,
)
from discordianai.sandbox.providers.scripted_stream import AcceptedQuestion, Json, Step, StepDelay

_CITED = re.compile(r"\[(\d+)\]")
THOUGHTS = ("**Weighing the question**\n\nIt has two sides.", "**Deciding**\n\nThe second one weighs more.")


class ResponsesReply:
    """OpenAI's answer to one request, with its fault."""

    def __init__(
        self, request: ResponsesRequest, body: Json, question: AcceptedQuestion, fault: Fault | None
    ):
        self._request = request
        self._question = question.newest
        self._earlier = question.earlier
        self._kind = fault.kind if fault else None
        self._response = ResponseObject(request, body, question.tokens, self._kind)
        self._delayed = False
        self._ending: tuple[str, str | None] = ("completed", None)

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        yield Step({"type": "response.created", "response": self._response.at("in_progress")})
        yield Step({"type": "response.in_progress", "response": self._response.at("in_progress")})
        yield from self._items()
        status, reason = self._ending
        yield Step({"type": f"response.{status}", "response": self._response.at(status, reason=reason)})

    def whole(self) -> Json:
        """See `Script`."""
        response: Json = deque(self.steps(), maxlen=1).pop().event["response"]
        return response

    def failure(self, fault: Fault) -> list[Json]:
        """See `Script`."""
        error = _error(fault)
        nested = {"type": "error", "error": {"type": _type(error["code"]), **error, "param": fault.param}}
        failed = {"type": "response.failed", "response": self._response.at("failed", error=error)}
        match fault.shape:
            case ErrorShape.NESTED:
                return [nested]
            case ErrorShape.FLAT:
                return [{"type": "error", **error, "param": fault.param}]
            case ErrorShape.FAILED:
                return [failed]
            case ErrorShape.USUAL:
                return [nested, failed]

    def failed(self, fault: Fault) -> Json:
        """See `Script`."""
        return self._response.at("failed", error=_error(fault))

    def _items(self) -> Iterator[Step]:
        yield from self._reasoning()
        if self._kind is FaultKind.THOUGHT_ONLY or self._response.left <= 0:
            self._ending = ("incomplete", "max_output_tokens")
        elif self._kind is FaultKind.REFUSAL:
            yield from self._message(DECLINED, refuses=True)
        elif function := self._called():
            yield from self._call(function)
        else:
            yield from self._answer()

    def _answer(self) -> Iterator[Step]:
        searches = self._searches_the_web()
        answer = compose("OpenAI", self._question, self._earlier, sources=searches)
        if self._kind is FaultKind.EMPTY:
            answer = ScriptedAnswer("")
        if searches:
            for number in range(2 if self._kind in (FaultKind.SEARCHES, FaultKind.CLASHING_IDS) else 1):
                yield from self._search(answer, number)
        if self._kind is FaultKind.TWO_MESSAGES:
            yield from self._message(COMMENTARY, phase="commentary")
        text, annotations = cited(answer, uncited=self._kind is FaultKind.UNCITED)
        limit = self._response.left * 4
        match self._kind:
            case FaultKind.LENGTH:
                self._ending = ("incomplete", "max_output_tokens")
            case FaultKind.FILTER:
                self._ending = ("incomplete", "content_filter")
                text = text[: len(text) // 2]
        if len(text) > limit:
            text, self._ending = text[: int(limit)], ("incomplete", "max_output_tokens")
        annotations = [each for each in annotations if each["end_index"] <= len(text)]
        yield from self._message(text, annotations=annotations)

    def _called(self) -> OpenAIFunctionTool | None:
        """The function that the model calls instead of answering."""
        offered, choice = self._request.functions, self._request.tool_choice
        if isinstance(choice, ChosenFunction):
            return next(function for function in offered if function.name == choice.name)
        shaped = self._kind in _TEXT_FAULTS
        if not offered or choice == "none" or shaped:
            return None
        return offered[0] if choice == "required" or wants_the_web(self._question) else None

    def _searches_the_web(self) -> bool:
        choice = self._request.tool_choice
        if not self._request.searches or choice == "none" or self._kind is FaultKind.NO_SOURCES:
            return False
        forced = choice == "required" or getattr(choice, "type", None) == "web_search"
        demanded = self._kind in (FaultKind.SEARCHES, FaultKind.CLASHING_IDS, FaultKind.UNCITED)
        return forced or demanded or wants_the_web(self._question)

    def _reasoning(self) -> Iterator[Step]:
        """Silent between its first event and its last, unless the request wants summaries."""
        if not self._response.reasoning_tokens:
            return
        options = self._request.reasoning
        visible = self._kind is FaultKind.REASONING or (options is not None and options.summary is not None)
        item: Json = {"id": _new("rs"), "type": "reasoning", "summary": []}
        yield Step(self._added({**item, "encrypted_content": ""}))
        for number, thought in enumerate(THOUGHTS if visible else ()):
            yield from self._summary(item, number, thought)
        item["encrypted_content"] = "c2FuZGJveA=="
        yield Step(self._done(item), self._first_delay())

    def _summary(self, item: Json, number: int, thought: str) -> Iterator[Step]:
        at = {"item_id": item["id"], "output_index": len(self._response.output), "summary_index": number}
        kind, part = "response.reasoning_summary", {"type": "summary_text", "text": thought}
        yield Step({"type": f"{kind}_part.added", **at, "part": {**part, "text": ""}})
        for piece in pieces_of(thought):
            yield Step({"type": f"{kind}_text.delta", **at, "delta": piece, **self._padding(piece)})
        yield Step({"type": f"{kind}_text.done", **at, "text": thought})
        yield Step({"type": f"{kind}_part.done", **at, "part": part})
        item["summary"] = [*item["summary"], part]

    def _search(self, answer: ScriptedAnswer, number: int) -> Iterator[Step]:
        item: Json = {"id": _new("ws"), "type": "web_search_call", "status": "in_progress"}
        at = {"item_id": item["id"], "output_index": len(self._response.output)}
        self._response.searches += 1
        yield Step(self._added(dict(item)))
        for stage in ("in_progress", "searching", "completed"):
            yield Step({"type": f"response.web_search_call.{stage}", **at})
        query = query_for(self._question) + (f" ({number + 1})" if number else "")
        action: Json = {"type": "search", "query": query, "queries": [query]}
        if "web_search_call.action.sources" in (self._request.include or ()):
            action["sources"] = [{"type": "url", "url": source.url} for source in answer.sources]
        yield Step(self._done({**item, "status": "completed", "action": action}))

    def _call(self, function: OpenAIFunctionTool) -> Iterator[Step]:
        arguments = arguments_for(self._question, function.parameters)
        item: Json = {"id": _new("fc"), "type": "function_call", "status": "in_progress"}
        item |= {"arguments": "", "call_id": _new("call"), "name": function.name}
        at = {"item_id": item["id"], "output_index": len(self._response.output)}
        self._response.written += len(arguments)
        kind = "response.function_call_arguments"
        yield Step(self._added(dict(item)), self._first_delay())
        for start in range(0, len(arguments), 8):
            piece = arguments[start : start + 8]
            yield Step(
                {"type": f"{kind}.delta", **at, "delta": piece, **self._padding(piece)}, StepDelay.PIECE
            )
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
        at = {"item_id": item["id"], "output_index": len(self._response.output), "content_index": 0}
        empty = {"type": name, key: "", **({} if refuses else {"annotations": [], "logprobs": []})}
        yield Step(self._added(dict(item)), self._first_delay())
        yield Step({"type": "response.content_part.added", **at, "part": empty})
        position, annotated = 0, 0
        for piece in pieces_of(text):
            delta = {"type": f"response.{name}.delta", **at, "delta": piece, **extra, **self._padding(piece)}
            yield Step(delta, StepDelay.PIECE)
            position += len(piece)
            while annotated < len(annotations) and annotations[annotated]["end_index"] <= position:
                added = {"type": "response.output_text.annotation.added", **at, "annotation_index": annotated}
                yield Step({**added, "annotation": annotations[annotated]})
                annotated += 1
        yield Step({"type": f"response.{name}.done", **at, key: text, **extra})
        part = {**empty, key: text, **({} if refuses else {"annotations": annotations})}
        yield Step({"type": "response.content_part.done", **at, "part": part})
        self._response.written += len(text)
        status = "incomplete" if self._ending[0] == "incomplete" else "completed"
        yield Step(self._done({**item, "status": status, "content": [part]}))

    def _first_delay(self) -> StepDelay:
        """The delay before the model's first output, once."""
        delayed, self._delayed = self._delayed, True
        return StepDelay.NONE if delayed else StepDelay.FIRST

    def _added(self, item: Json) -> Json:
        return {
            "type": "response.output_item.added",
            "output_index": len(self._response.output),
            "item": item,
        }

    def _done(self, item: Json) -> Json:
        event = {
            "type": "response.output_item.done",
            "output_index": len(self._response.output),
            "item": item,
        }
        self._response.output.append(item)
        return event

    def _padding(self, piece: str) -> Json:
        """Padding that hides the length of a piece, unless it is switched off."""
        options = self._request.stream_options
        if options is not None and options.include_obfuscation is False:
            return {}
        return {"obfuscation": "kQ81x0Zb7pLmW3dR"[: 16 - len(piece) % 16]}


_TEXT_FAULTS = frozenset(
    {
        FaultKind.EMPTY,
        FaultKind.LENGTH,
        FaultKind.FILTER,
        FaultKind.TWO_MESSAGES,
        FaultKind.SEARCHES,
        FaultKind.CLASHING_IDS,
        FaultKind.UNCITED,
    }
)
"""Faults of a text answer: with one of them, the model calls no function."""


def _new(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"


def _error(fault: Fault) -> Json:
    return {"code": fault.code or "server_error", "message": fault.message}


def _type(code: str) -> str:
    """The `type` of an error inside a stream."""
    return {"server_error": "server_error", "rate_limit_exceeded": "tokens"}.get(code, code)


def cited(answer: ScriptedAnswer, *, uncited: bool = False) -> tuple[str, list[Json]]:
    """The text with each `[n]` as a link, and its annotations; with `uncited`, neither."""
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
