"""What compatible endpoints put on the wire: each quirk over real sockets, cut where that matters."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.client import make_provider
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.providers.port import ChatProvider, End, Event, OutputBegan, TextDelta, UsageReport
from discordianai.records import ChatRequest, Dialect, FinishReason, Role, ToolCall, Turn, Usage
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, open_server
from discordianai.transport import MultiplexedTransport

Json = dict[str, Any]
QUESTION = ChatRequest("m", (Turn(Role.USER, "why?"),), tools=(WEB_SEARCH,), number=1)
STOP: Json = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
DONE = b"data: [DONE]\n\n"


def said(content: object, **delta: object) -> Json:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}}]}


def sse(*events: Json) -> bytes:
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)


@asynccontextmanager
async def served(
    authority: Authority,
    *pieces: bytes | float,
    label: str | None = "text/event-stream",
    dialect: Dialect = Dialect.CHAT,
    **options: Any,
) -> AsyncIterator[ChatProvider]:
    """A provider whose server sends these bytes, and waits these seconds between them."""

    async def handle(exchange: ServerExchange) -> None:
        await exchange.start(200, [] if label is None else [("content-type", label)])
        for piece in pieces:
            if isinstance(piece, float):
                await trio.sleep(piece)
            else:
                await exchange.send(piece)
        await exchange.finish()

    async with (
        open_server(handle, authority=authority) as server,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        told = ProviderOptions(base_url=server.url, api_key=SecretStr("key"), model="m", **options)
        yield make_provider(client, record("here", "Here", dialect), told)


async def ask(asked: ChatProvider) -> list[Event]:
    async with asked.stream(QUESTION) as events:
        return [event async for event in events]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


ANSWERS: dict[str, tuple[Json, ...]] = {
    "parts": (said([{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}]), STOP),
    "parts that are texts": (said(["ye", "s"]), STOP),
    "one part": (said({"type": "text", "text": "yes"}), STOP),
    "thinking parts": (
        said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
        said([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "yes"}]),
        STOP,
    ),
    "reasoning_content": (
        said(None, reasoning_content="hm"),
        said("", reasoning_content="hm"),
        said("yes"),
        STOP,
    ),
    "reasoning": (said("", reasoning="hm", reasoning_details=[{"text": "hm"}]), said("yes"), STOP),
    "think block": (said("<th"), said("ink>hm</"), said("think>\n\nyes"), STOP),
    "no role, no index": ({"choices": [{"delta": {"content": "yes"}}]}, STOP),
    "a first chunk without choices": ({"choices": [], "prompt_filter_results": []}, said("yes"), STOP),
    "usage on every chunk": (
        {**said("ye"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        {**said("s"), "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        STOP,
    ),
    "a message instead of a delta": (
        {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]},
    ),
    "the whole message once more": (
        said("yes"),
        {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]},
    ),
    "chunks in arrays": (),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_the_text_is_the_text(authority: Authority, name: str) -> None:
    body = (
        sse(*ANSWERS[name])
        if ANSWERS[name]
        else f"data: [{json.dumps(said('yes'))}]\n\n".encode() + sse(STOP)
    )
    async with served(authority, body, DONE) as asked:
        events = await ask(asked)
    assert text_of(events) == "yes"
    assert events[-1] == End(FinishReason.STOP)
    if name == "usage on every chunk":
        assert [event for event in events if isinstance(event, UsageReport)] == [UsageReport(Usage(3, 2))]


def line(*events: Json) -> bytes:
    return b"data: " + b"".join(json.dumps(event).encode() for event in events) + b"\n"


FRAMES: dict[str, bytes] = {
    "no empty line between events": line(said("ye")) + line(said("s")) + b"\n" + line(STOP) + b"\n",
    "two events on one line": line(said("ye"), said("s")) + b"\n" + line(STOP) + b"\n",
    "the end in the last event": line(said("yes")) + b"\n" + line(STOP) + b"data: [DONE]\n\n",
    "no empty line at the end": line(said("yes")) + b"\n" + line(STOP)[:-1],
    "no line end behind [DONE]": line(said("yes")) + b"\n" + line(STOP) + b"\ndata: [DONE]",
    "numbers that are none": line(said("yes")).replace(b"}]}", b'}], "a": [NaN, -Infinity]}')
    + b"\n"
    + sse(STOP),
    "carriage returns": sse(said("yes"), STOP).replace(b"\n", b"\r"),
    "both": sse(said("yes"), STOP).replace(b"\n", b"\r\n"),
    "no space": sse(said("yes"), STOP).replace(b"data: ", b"data:"),
    "a byte order mark": b"\xef\xbb\xbf" + sse(said("yes"), STOP),
    "null for a delta": sse({"choices": [{"delta": None}]}, said("yes"), STOP),
    "null for choices": sse({"choices": None}, said("yes"), STOP),
    "spaces in tags": sse(said("< THINK >hm</Think >\nyes"), STOP),
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("each", [1, 1000], ids=["byte by byte", "at once"])
async def test_events_are_told_apart_in_any_frame(authority: Authority, name: str, each: int) -> None:
    frames = FRAMES[name]
    pieces = [frames[at : at + each] for at in range(0, len(frames), each)]
    async with served(authority, *pieces) as asked:
        events = await ask(asked)
    assert text_of(events) == "yes"
    assert events[-1] == End(FinishReason.STOP)


async def test_an_event_that_is_cut_is_a_lost_connection(authority: Authority) -> None:
    """Nobody knows what it would have said; what came before it is kept."""
    async with served(authority, sse(said("yes")), line(STOP)[:-9]) as asked:
        with pytest.raises(errors.ConnectionLost):
            await ask(asked)


async def test_events_of_a_responses_endpoint_are_told_apart(authority: Authority) -> None:
    pieces: list[Json] = [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "yes"},
        {"type": "response.completed", "response": {"status": "completed"}},
    ]
    body = b"".join(map(line, pieces))
    async with served(authority, body, dialect=Dialect.RESPONSES) as asked:
        events = await ask(asked)
    assert text_of(events) == "yes"
    assert events[-1] == End(FinishReason.STOP)


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        ({"prompt_tokens": 3.0, "completion_tokens": 2.0}, Usage(3, 2)),
        ({"prompt_tokens": "3", "completion_tokens": "2"}, Usage(3, 2)),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(3, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cost": float("nan")}, Usage(3, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cost": -1}, Usage(3, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cost": "free"}, Usage(3, 2)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cost": 0}, Usage(3, 2, cost=0)),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(3, 2, cached_tokens=3),
        ),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": -3, "completion_tokens": 2}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3.5, "completion_tokens": "two"}, None),
        (None, None),
    ],
)
async def test_a_count_in_any_spelling_is_read_or_left_to_our_own(
    authority: Authority, told: object, counted: Usage | None
) -> None:
    """Who counts nothing tells zeros; an answer is not free for that."""
    last: Json = {"choices": [], "usage": told}
    async with served(authority, sse(said("yes"), STOP, last), DONE) as asked:
        events = await ask(asked)
    assert text_of(events) == "yes"
    assert [event.usage for event in events if isinstance(event, UsageReport)] == (
        [counted] if counted else []
    )


@pytest.mark.parametrize("label", ["text/event-stream", "text/plain", "application/json", "", None])
async def test_events_are_read_under_any_label(authority: Authority, label: str | None) -> None:
    head = b": OPENROUTER PROCESSING\n\n: keep-alive\n\ndata: ping\n\nevent: ping\ndata:\n\n"
    async with served(authority, head, sse(said("yes"), STOP), DONE, label=label) as asked:
        assert text_of(await ask(asked)) == "yes"


@pytest.mark.parametrize("label", ["application/json", "text/event-stream", "text/plain", None])
@pytest.mark.parametrize("array", [False, True])
async def test_plain_json_is_read_in_place_of_a_stream(
    authority: Authority, label: str | None, array: bool
) -> None:
    """Some send empty lines until it is there."""
    whole = {
        "choices": [
            {"message": {"role": "assistant", "content": "<think>hm</think>yes"}, "finish_reason": "stop"}
        ]
    }
    content = json.dumps([whole] if array else whole).encode()
    async with served(authority, b"\n\n", b"\n", content[:9], content[9:], label=label) as asked:
        events = await ask(asked)
    assert text_of(events) == "yes"
    assert events[-1] == End(FinishReason.STOP)


async def test_a_page_of_html_is_no_answer(authority: Authority) -> None:
    """A proxy's sign-in page, with the status 200."""
    async with served(authority, b"<!doctype html><title>Sign in</title>", label="text/html") as asked:
        with pytest.raises(errors.MalformedAnswer):
            await ask(asked)


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("STOP", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("end_turn", FinishReason.STOP),
        ("tool_calls", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("SAFETY", FinishReason.FILTERED),
        ({"type": "length"}, FinishReason.LENGTH),
        ({}, FinishReason.OTHER),
        (["stop"], FinishReason.OTHER),
        (0, FinishReason.OTHER),
        (2, FinishReason.OTHER),
        (True, FinishReason.OTHER),
    ],
)
async def test_a_finish_reason_of_any_type_ends_the_answer(
    authority: Authority, reason: object, ended: FinishReason
) -> None:
    """Also without [DONE]."""
    last = {"choices": [{"delta": {}, "finish_reason": reason}]}
    async with served(authority, sse(said("yes"), last)) as asked:
        assert (await ask(asked))[-1] == End(ended)


@pytest.mark.parametrize("none_yet", [None, "", False])
async def test_no_reason_yet_is_no_end(authority: Authority, none_yet: object) -> None:
    chunk = {"choices": [{"delta": {"content": "yes"}, "finish_reason": none_yet}]}
    async with served(authority, sse(chunk)) as asked:
        with pytest.raises(errors.ConnectionLost):
            await ask(asked)


def call(name: str | None, arguments: object, **more: object) -> Json:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"choices": [{"delta": {"tool_calls": [{"function": function, **more}]}}]}


CALLS: dict[str, tuple[Json, ...]] = {
    "pieces at an index": (
        call("web_search", "", index=0, id="a"),
        call(None, '{"query": ', index=0),
        call(None, '"llamas"}', index=0),
    ),
    "pieces without an index": (
        call("web_search", "", id="a"),
        call(None, '{"query": '),
        call(None, '"llamas"}'),
    ),
    "the name with every piece": (
        call("web_search", '{"query": ', index=0, id="a"),
        call("web_search", '"llamas"}', index=0, id="a"),
    ),
    "two calls at one index": (
        call("web_search", '{"query": "llamas"}', index=0, id="a"),
        call("web_search", '{"query": "alpacas"}', index=0, id="b"),
    ),
    "two calls with neither index nor id": (
        call("web_search", '{"query": "llamas"}'),
        call("web_search", '{"query": "alpacas"}'),
    ),
    "an id that comes late": (
        call("web_search", '{"query": ', index=0),
        call(None, '"llamas"}', index=0, id="a"),
    ),
    "arguments as an object": (call("web_search", {"query": "llamas"}, index=0, id="a"),),
    "its index as a text": (call("web_search", '{"query": "llamas"}', index="0", id="a"),),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("reason", ["tool_calls", "stop"])
async def test_the_first_call_is_understood(authority: Authority, name: str, reason: str) -> None:
    last = {"choices": [{"delta": {}, "finish_reason": reason}]}
    async with served(authority, sse(*CALLS[name], last), DONE) as asked:
        events = await ask(asked)
    assert [event for event in events if isinstance(event, ToolCall)] == [ToolCall("web_search", "llamas")]


@pytest.mark.parametrize(
    "told",
    [
        {"error": "rate limit exceeded, and the words of the question"},
        {"error": {"code": 502, "message": "no"}, "choices": [{"finish_reason": "error", "delta": {}}]},
        {"error": [{"code": 503, "message": "no"}]},
        {"object": "error", "message": "no", "code": 500},
        {"message": "no", "code": 500},
        {"detail": "Internal Server Error"},
        {"detail": [{"msg": "no"}]},
        {"choices": [{"delta": {}, "finish_reason": "error"}]},
        {"choices": [{"delta": {}, "finish_reason": "insufficient_system_resource"}]},
    ],
)
async def test_an_error_in_the_stream_is_one_in_any_form(authority: Authority, told: Json) -> None:
    """What came before it is kept, and nothing of its text is in the log."""
    async with served(authority, sse(said("yes"), told)) as asked:
        with pytest.raises(errors.Overloaded) as caught:
            await ask(asked)
        assert "question" not in caught.value.for_log


async def test_an_address_that_lm_studio_does_not_have_is_told_as_one(authority: Authority) -> None:
    """It answers with the status 200."""
    told = json.dumps({"error": "Unexpected endpoint or method. (POST /chat/completions)"}).encode()
    async with served(authority, told, label="application/json") as asked:
        with pytest.raises(errors.EndpointNotFound):
            await ask(asked)


@pytest.mark.parametrize(
    ("said_first", "paid"), [(said(None, reasoning="hm"), True), (said("", role="assistant"), False)]
)
async def test_reasoning_that_no_text_follows_is_told(
    authority: Authority, said_first: Json, paid: bool
) -> None:
    """It is paid for, also where the answer breaks off."""
    heard: list[Event] = []

    async def listen(events: AsyncIterator[Event]) -> None:
        async for event in events:
            heard.append(event)  # noqa: PERF401  # what came before the error is looked at

    async with served(authority, sse(said_first)) as asked, asked.stream(QUESTION) as events:
        with pytest.raises(errors.ConnectionLost):
            await listen(events)
    assert (OutputBegan() in heard) == paid


@pytest.mark.parametrize("sign", [b": keep-alive\n\n", sse(said(None, reasoning_content="hm")), b"data:\n\n"])
async def test_anything_is_a_sign_of_life(authority: Authority, sign: bytes) -> None:
    """The time for silence begins anew with it."""
    waits = [part for _ in range(4) for part in (0.2, sign)]
    async with served(authority, *waits, sse(said("yes"), STOP), first_token_timeout=0.6) as asked:
        assert text_of(await ask(asked)) == "yes"


@pytest.mark.parametrize("sign", [b": keep-alive\n\n", sse(said(None, reasoning="hm")), b"\n"])
@pytest.mark.parametrize("before", [b"", sse(said("yes"))])
async def test_reasoning_has_an_end_of_its_own(authority: Authority, sign: bytes, before: bytes) -> None:
    """Before the first text and after it, whatever else comes."""
    endless = [part for _ in range(100) for part in (0.05, sign)]
    async with served(authority, before or b"\n", *endless, reasoning_timeout=0.5) as asked:
        began = trio.current_time()
        with pytest.raises(errors.TimedOut) as caught:
            await ask(asked)
        assert 0.5 <= trio.current_time() - began < 5.0
        assert "no text in time" in caught.value.detail


async def test_thoughts_of_a_responses_endpoint_are_no_text(authority: Authority) -> None:
    """Raw reasoning has events of its own; a block in the text may be cut anywhere."""
    pieces: list[Json] = [
        {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "hm"},
        *(
            {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": delta}
            for delta in ("<thi", "nk>hm</think>", "\n\nyes <", "3")
        ),
        {
            "type": "response.output_text.done",
            "output_index": 1,
            "content_index": 0,
            "text": "<think>hm</think>\n\nyes <3",
        },
        {"type": "response.completed", "response": {"status": "completed"}},
    ]
    async with served(authority, sse(*pieces), DONE, dialect=Dialect.RESPONSES) as asked:
        assert text_of(await ask(asked)) == "yes <3"
