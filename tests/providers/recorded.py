"""Answers as the providers stream them: the shapes are those of recordings and of the official types, the
words are made up. Each is the data of its events, in order."""

import json
from collections.abc import Iterator

Json = dict[str, object]


def data(*events: Json) -> list[str]:
    """The events as they are sent, numbered."""
    return [json.dumps({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _response(status: str, **changed: object) -> Json:
    response: Json = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1795600000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-6-luna",
        "output": [],
        "usage": None,
        "store": False,
    }
    return response | changed


USAGE: Json = {
    "input_tokens": 41,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 77,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 118,
}
CREATED: Json = {"type": "response.created", "response": _response("in_progress")}
IN_PROGRESS: Json = {"type": "response.in_progress", "response": _response("in_progress")}


def _added(index: int, **item: object) -> Json:
    return {
        "type": "response.output_item.added",
        "output_index": index,
        "item": {"id": f"it_{index}", **item},
    }


def _done(index: int, **item: object) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": {"id": f"it_{index}", **item}}


def _part(index: int, words: str, **annotated: object) -> Json:
    part = {"type": "output_text", "text": words, "annotations": [], "logprobs": [], **annotated}
    return {"item_id": f"it_{index}", "output_index": index, "content_index": 0, "part": part}


def _message(index: int, *pieces: str, **item: object) -> Iterator[Json]:
    whole = "".join(pieces)
    at: Json = {"item_id": f"it_{index}", "output_index": index, "content_index": 0}
    content = [{"type": "output_text", "text": whole, "annotations": [], "logprobs": []}]
    yield _added(index, type="message", role="assistant", status="in_progress", content=[], **item)
    yield {"type": "response.content_part.added", **_part(index, "")}
    for piece in pieces:
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": whole, "logprobs": []}
    yield {"type": "response.content_part.done", **_part(index, whole)}
    yield _done(index, type="message", role="assistant", status="completed", content=content, **item)


def _completed(**changed: object) -> Json:
    return {"type": "response.completed", "response": _response("completed", usage=USAGE, **changed)}


TEXT = data(CREATED, IN_PROGRESS, *_message(0, "Bon", "jour"), _completed())
REASONING = data(
    CREATED,
    _added(0, type="reasoning", summary=[]),
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "**W"},
    _done(0, type="reasoning", summary=[{"type": "summary_text", "text": "**Weighing**"}]),
    *_message(1, "Six", " it is.", phase="final_answer"),
    _completed(),
)
TWO_MESSAGES = data(
    CREATED,
    *_message(0, "Let me think.", phase="commentary"),
    *_message(1, "Done", ".", phase="final_answer"),
    _completed(),
)
FUNCTION_CALL = data(
    CREATED,
    _added(0, type="function_call", call_id="call_1", name="web_search", arguments="", status="in_progress"),
    {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"que'},
    {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": 'ry":"tide"}'},
    {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": '{"query":"tide"}'},
    _done(0, type="function_call", call_id="call_1", name="web_search", arguments='{"query":"tide"}'),
    _completed(),
)
ANNOTATION: Json = {
    "type": "url_citation",
    "start_index": 8,
    "end_index": 31,
    "title": "Tides",
    "url": "https://tides.example/today",
}
HOSTED_SEARCH = data(
    CREATED,
    _added(0, type="web_search_call", status="in_progress"),
    {"type": "response.web_search_call.searching", "item_id": "it_0", "output_index": 0},
    {"type": "response.web_search_call.completed", "item_id": "it_0", "output_index": 0},
    _done(0, type="web_search_call", status="completed", action={"type": "search", "query": "tide"}),
    *list(_message(1, "High at ", "six."))[:-1],
    {
        "type": "response.output_text.annotation.added",
        "output_index": 1,
        "content_index": 0,
        "annotation_index": 0,
        "annotation": ANNOTATION,
    },
    _completed(),
)
REFUSAL = data(
    CREATED,
    _added(0, type="message", role="assistant", content=[]),
    {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "I can"},
    {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "'t."},
    {"type": "response.refusal.done", "output_index": 0, "content_index": 0, "refusal": "I can't."},
    _done(0, type="message", role="assistant", content=[{"type": "refusal", "refusal": "I can't."}]),
    _completed(),
)


def incomplete(reason: str, *pieces: str) -> list[str]:
    """An answer that was cut, or filtered."""
    details = {"reason": reason}
    end = _response("incomplete", incomplete_details=details, usage=USAGE)
    message = list(_message(0, *pieces)) if pieces else []
    return data(CREATED, *message, {"type": "response.incomplete", "response": end})


def failed(code: str, shape: str) -> list[str]:
    """A failure after 200, in each of the shapes in which it was seen."""
    error: Json = {"type": code, "code": code, "message": "words of the question", "param": None}
    ends: dict[str, Json] = {
        "nested": {"type": "error", "error": error},
        "flat": {"type": "error", "code": code, "message": "words of the question", "param": None},
        "in the response": {"type": "response.failed", "response": _response("failed", error=error)},
        "at the top": {"type": "response.failed", "error": error},
    }
    return data(CREATED, ends[shape])


RESULTS = [
    {
        "id": 1,
        "title": "One",
        "url": "https://one.example",
        "snippet": "..",
        "source": "web",
        "date": "2026-11-20",
    },
    {"id": 2, "title": "Two", "url": "https://two.example", "snippet": "..", "source": "web"},
]
AGENT = data(
    {"response": _response("in_progress", model="fast"), "type": "response.created"},
    {
        "item": {
            "type": "function_call",
            "id": "fc_u",
            "call_id": "call_u",
            "name": "search_web",
            "arguments": '{"queries":["tide"]}',
            "status": "completed",
        },
        "output_index": 0,
        "type": "response.output_item.added",
    },
    {"queries": ["tide"], "thought": "Searching the web...", "type": "response.reasoning.search_queries"},
    {"results": RESULTS, "thought": "Found 2 results", "type": "response.reasoning.search_results"},
    {
        "item": {"type": "search_results", "queries": ["tide"], "results": RESULTS},
        "output_index": 0,
        "type": "response.output_item.done",
    },
    {
        "item": {
            "type": "message",
            "id": "msg_u",
            "role": "assistant",
            "status": "completed",
            "content": None,
        },
        "output_index": 1,
        "type": "response.output_item.added",
    },
    {"delta": "High", "output_index": 1, "content_index": 0, "type": "response.output_text.delta"},
    {"delta": " at six.[1]", "output_index": 1, "content_index": 0, "type": "response.output_text.delta"},
    {"text": "High at six.[1]", "output_index": 1, "content_index": 0, "type": "response.output_text.done"},
    {
        "item": {
            "type": "message",
            "id": "msg_u",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "High at six.[1]", "annotations": []}],
        },
        "output_index": 1,
        "type": "response.output_item.done",
    },
    {
        "response": _response(
            "completed",
            model="openai/gpt-6-luna",
            usage={**USAGE, "cost": {"currency": "USD", "total_cost": 0.00264}},
        ),
        "type": "response.completed",
    },
)


def _chunk(delta: Json, reason: str | None = None, **more: object) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "local-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        **more,
    }


CHAT_USAGE = {"prompt_tokens": 41, "completion_tokens": 77, "total_tokens": 118}
CHAT = [
    *data(
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": "Bon"}),
        _chunk({"content": "jour"}),
        _chunk({}, "stop"),
        {"id": "chatcmpl-1", "choices": [], "usage": CHAT_USAGE},
    ),
    "[DONE]",
]
_NAMED = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "web_search", "arguments": ""}}
CHAT_CALL = [
    *data(
        _chunk({"role": "assistant", "content": None, "tool_calls": [_NAMED]}),
        _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"query":'}}]}),
        _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"tide"}'}}]}),
        _chunk({}, "tool_calls"),
    ),
    "[DONE]",
]
CHAT_ERROR = data(
    _chunk({"content": "Bon"}),
    {"error": {"code": 502, "message": "words of the question"}, "choices": [{"finish_reason": "error"}]},
)

RESPONSES_STREAMS = [
    TEXT,
    REASONING,
    TWO_MESSAGES,
    FUNCTION_CALL,
    HOSTED_SEARCH,
    REFUSAL,
    incomplete("max_output_tokens", "Bon"),
    incomplete("content_filter"),
    AGENT,
    *(failed("server_error", shape) for shape in ("nested", "flat", "in the response", "at the top")),
]
CHAT_STREAMS = [CHAT, CHAT_CALL, CHAT_ERROR]
