"""Whatever a provider sends: events or a named error come out, never anything else."""

import json
import time
import tracemalloc
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discordianai.dispatch.budget import Budget, BudgetOptions
from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import failures
from discordianai.providers.answer_parts import MOST_TEXT
from discordianai.providers.chat import ChatDecoder
from discordianai.providers.error_body import refusal
from discordianai.providers.errors import ProviderError
from discordianai.providers.json_values import NotJson, parse
from discordianai.providers.limits import rate_limits
from discordianai.providers.port import Decoder, End, Event, SourceList, TextDelta, UsageReport
from discordianai.providers.responses import ResponsesDecoder
from discordianai.providers.usage_report import MOST_TOKENS
from discordianai.records import Citation, FinishReason, RateLimits, Usage
from discordianai.waits import LONGEST_WAIT
from tests.examples import examples
from tests.json_places import MISSING, JsonPath, changed, places
from tests.known_providers import FOREIGN, OPENAI
from tests.providers import recorded
from tests.providers.json_mutations import NASTY

EXAMPLES = examples(200)

json_values = st.recursive(
    st.sampled_from(NASTY) | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def others(path: JsonPath) -> st.SearchStrategy[object]:
    """What may stand in that place instead; the whole cannot be missing."""
    return st.just(MISSING) | json_values if path else json_values


@st.composite
def mutated_streams(draw: st.DrawFn, streams: list[list[str]]) -> list[str]:
    """A recorded stream in which up to three places are something else, or are not there."""
    stream = list(draw(st.sampled_from(streams)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(stream) - 1))
        if not stream[at].startswith("{"):
            continue
        event = json.loads(stream[at])
        path = draw(st.sampled_from([(), *places(event)]))
        event = changed(event, path, draw(others(path)))
        stream[at] = json.dumps(event)
    if draw(st.booleans()):
        stream.insert(
            draw(st.integers(0, len(stream))), draw(st.sampled_from(["[" * 100_000, "NaN", "{", ""]))
        )
    return stream


def check(decoder: Decoder, stream: list[str]) -> None:
    """Read it as the client does, and look at all that comes out."""
    try:
        for data in stream:
            if decoder.ended:
                break
            for event in decoder.decode(data):
                check_event(event)
        for event in decoder.close():
            check_event(event)
    except ProviderError as error:
        check_error(error)


def check_event(event: Event) -> None:
    match event:
        case TextDelta(text):
            assert isinstance(text, str)
            assert 0 < len(text) <= MOST_TEXT
        case UsageReport(Usage(asked, answered)):
            assert 0 <= asked <= MOST_TOKENS
            assert 0 <= answered <= MOST_TOKENS
        case SourceList(citations):
            for citation in citations:
                if citation is not None:
                    check_citation(citation)
            assert citations[-1] is not None
        case _:
            assert isinstance(event, Event)


def check_citation(citation: Citation) -> None:
    assert citation.url
    for text in (citation.url, citation.title, citation.date):
        text.encode()


def check_error(error: ProviderError) -> None:
    assert error.provider.label in error.for_person or not error.sentence
    assert error.for_log.isprintable()
    assert "words of the question" not in error.for_log


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated_streams(recorded.RESPONSES_STREAMS))
def test_responses_and_agent(stream: list[str]) -> None:
    check(ResponsesDecoder(OPENAI, (WEB_SEARCH,), "", 100), stream)


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated_streams(recorded.CHAT_STREAMS))
def test_chat(stream: list[str]) -> None:
    check(ChatDecoder(FOREIGN, (WEB_SEARCH,)), stream)


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated_streams(recorded.RESPONSES_STREAMS + recorded.CHAT_STREAMS), st.booleans())
def test_answers_in_one_piece(stream: list[str], chat: bool) -> None:
    """Every event, taken for a whole answer: its shape is as good as any other wrong one."""
    for data in stream:
        decoder: Decoder = ChatDecoder(FOREIGN, ()) if chat else ResponsesDecoder(OPENAI, ())
        try:
            for event in decoder.decode_whole(parse(data)):
                check_event(event)
        except NotJson:
            pass
        except ProviderError as error:
            check_error(error)


ERROR_BODIES: list[object] = [
    {
        "error": {
            "message": "words of the question",
            "type": "invalid_request_error",
            "code": "model_not_found",
            "param": "model",
        }
    },
    {"error": {"message": "words of the question", "type": "insufficient_quota", "code": 401}},
    {"error": "words of the question"},
    {"detail": [{"msg": "words of the question"}]},
    {"error": {"code": 502, "message": "words of the question"}},
]


@st.composite
def mutated_bodies(draw: st.DrawFn) -> bytes:
    """The body of an error, with another value somewhere."""
    body = draw(st.sampled_from(ERROR_BODIES))
    path = draw(st.sampled_from([(), *places(body)]))
    return json.dumps(changed(body, path, draw(others(path)))).encode()


header_values = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "soon",
        "9" * 400,
        "9" * 5000,
        "1e308",
        "nan",
        "inf",
        "1s",
        "6m0s",
        "٣",
        "1795600000",
        "1.5",
        "3, 4",
        "1e400",
        "NaN",
        "Wed, 25 Nov 2026 20:00:00 GMT",
        "Wednesday, 25-Nov-26 21:00:00 GMT",
        "Wed, 31 Feb 99999 25:61:61 +9999999",
        "9" * 400 + "h",
    ]
)
header_names = st.sampled_from(
    [
        "date",
        "retry-after",
        "retry-after-ms",
        "x-request-id",
        *(
            f"x-ratelimit-{what}{of}"
            for what in ("limit", "remaining", "reset")
            for of in ("", "-requests", "-tokens")
        ),
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(300, 599), mutated_bodies(), st.dictionaries(header_names, header_values))
def test_errors_and_headers(status: int, body: bytes, told: dict[str, str]) -> None:
    headers = httpx.Headers([(name.encode(), value.encode()) for name, value in told.items()])
    response = httpx.Response(status, headers=headers)
    error = failures.from_response(OPENAI, response, refusal(body.decode("utf-8", "replace")))
    check_error(error)
    wait = getattr(error, "retry_after", None)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
    budget = Budget(BudgetOptions(500, 200_000, 1))
    budget.believe(rate_limits(headers) or RateLimits(), 100.0)
    assert 0 <= budget.delay(10, 100.0) < 120


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="deep array"),
        pytest.param('{"a":' * 100_000, id="deep object"),
        pytest.param("NaN", id="NaN"),
        pytest.param("", id="nothing"),
        pytest.param("7", id="a number"),
        pytest.param("9" * 5000, id="a huge number"),
    ],
)
def test_what_is_no_json_object_has_a_name(text: str) -> None:
    with pytest.raises(NotJson):
        parse(text)


@pytest.mark.parametrize(
    ("told", "logged"),
    [
        ("sk-proj-AbC123dEf456gHi", False),
        ("pplx-9f8e7d6c5b4a3f2e", False),
        ("AIzaSyD-9tSrke72PouQMnMX", False),
        ("my diagnosis", False),
        ("x" * 65, False),
        ("", False),
        ("invalid_api_key", True),
        ("messages[0].content[1].image_url", True),
        ("InvalidParameter.DataInspection", True),
        ("1210", True),
    ],
)
def test_a_code_is_logged_and_neither_a_key_nor_a_sentence_in_its_place(told: str, logged: bool) -> None:
    """Some endpoints repeat what they were sent wherever there is room."""
    response = httpx.Response(400, headers={"x-request-id": "req_0a1B2c"})
    for key in ("type", "code", "param"):
        detail = failures.from_response(OPENAI, response, {key: told}).detail
        assert (f"{key} " in detail) == logged
        assert detail.endswith("request req_0a1B2c")


def test_a_code_of_many_numbers_is_read_once() -> None:
    """Each of its numbers could be read in five ways; all combinations of them take a minute."""
    response = httpx.Response(400)
    start = time.process_time()
    for told in ("1111_" * 12 + "!", "1" * 64 + "!", "a1" * 32):
        assert told not in failures.from_response(OPENAI, response, {"param": told}).detail
    assert time.process_time() - start < 1


THINKING = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}


def test_thoughts_without_end_are_cut_like_any_other_text() -> None:
    """Nobody is shown them, but all of an answer's text is kept until it is complete."""
    decoder = ResponsesDecoder(OPENAI, ())
    delta = json.dumps({**THINKING, "delta": "<think>" + "hm " * 100_000})
    events = [event for _ in range(20) for event in decoder.decode(delta)]
    assert End(FinishReason.LENGTH) in events


def long_ids(kind: str) -> tuple[Decoder, Iterator[str]]:
    """A decoder, and events with ids of half a megabyte each."""
    ids = (f"{number} {'x' * 500_000}" for number in range(200))
    if kind == "searches":
        item = {"type": "web_search_call", "status": "completed"}
        events = ({"type": "response.output_item.done", "item": {**item, "id": one}} for one in ids)
        return ResponsesDecoder(OPENAI, ()), map(json.dumps, events)
    calls = ({"index": number, "id": one, "function": {"name": one}} for number, one in enumerate(ids))
    chunks = ({"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls)
    return ChatDecoder(FOREIGN, (WEB_SEARCH,)), map(json.dumps, chunks)


@pytest.mark.parametrize("kind", ["searches", "calls"])
def test_ids_without_end_take_no_memory(kind: str) -> None:
    decoder, stream = long_ids(kind)
    tracemalloc.start()
    try:
        for data in stream:
            list(decoder.decode(data))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2**20


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param("[" + "1," * 8000, id="a list"),
        pytest.param('{"a": [' + "1," * 8000 + "}", id="an object"),
        pytest.param("[" * 16_000, id="levels"),
    ],
)
def test_the_pieces_of_calls_are_not_read_again_with_each_of_thousands(arguments: str) -> None:
    """The answers of all others stand still meanwhile."""
    begun = {"index": 0, "function": {"name": "strange", "arguments": arguments}}
    further = [{"index": 0, "function": {"name": "strange", "arguments": "}"}}] * 15_000
    chunk = json.dumps({"choices": [{"delta": {"tool_calls": [begun, *further]}}]})
    decoder = ChatDecoder(FOREIGN, (WEB_SEARCH,))
    start = time.process_time()
    list(decoder.decode(chunk))
    assert time.process_time() - start < 0.5
