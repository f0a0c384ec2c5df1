"""An answer of the Responses and of the Agent interface is read right, whatever it consists of."""

import json
import time

import pytest

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.answer_parts import MOST_TEXT
from discordianai.providers.chat import ChatDecoder
from discordianai.providers.json_values import Json
from discordianai.providers.port import End, Event, SearchQuery, SourceList, TextDelta, UsageReport
from discordianai.providers.responses import ResponsesDecoder
from discordianai.records import Citation, Citations, FinishReason, ToolCall, Usage
from tests.known_providers import FOREIGN, OPENAI
from tests.providers import recorded

CALL: Json = {"type": "function_call", "arguments": ""}
WHOLE: Json = {"type": "function_call", "arguments": '{"query": "tide"}'}


def read(stream: list[str], most_tokens: int | None = None) -> list[Event]:
    decoder = ResponsesDecoder(OPENAI, (WEB_SEARCH,), "", most_tokens)
    return [event for data in stream for event in decoder.decode(data)]


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def cited(events: list[Event]) -> Citations:
    lists = [event.citations for event in events if isinstance(event, SourceList)]
    return lists[-1] if lists else ()


def urls(events: list[Event]) -> list[str]:
    return [citation.url if citation else "" for citation in cited(events)]


@pytest.mark.parametrize(
    ("stream", "text", "usage"),
    [
        (recorded.TEXT, "Bonjour", Usage(41, 77)),
        (recorded.REASONING, "Six it is.", Usage(41, 77)),
        (recorded.TWO_MESSAGES, "Let me think.\n\nDone.", Usage(41, 77)),
        (recorded.HOSTED_SEARCH, "High at six.", Usage(41, 77, searches=1)),
        (recorded.REFUSAL, "I can't.", Usage(41, 77)),
        (recorded.AGENT, "High at six.[1]", Usage(41, 77, cost=2_640_000)),
    ],
)
def test_the_text_comes_once_with_its_usage_and_one_end(stream: list[str], text: str, usage: Usage) -> None:
    """Deltas, done events, items and the whole response repeat each other: each word is said once."""
    events = read(stream)
    assert said(events) == text
    assert events[-2:] == [UsageReport(usage), End(FinishReason.STOP)]
    assert len([event for event in events if isinstance(event, End)]) == 1


@pytest.mark.parametrize("dropped", ["delta", "output_text.done", "output_item.done"])
def test_the_text_is_found_wherever_it_stands(dropped: str) -> None:
    """Some endpoints send no deltas, some only whole items, some nothing but the whole response."""
    kinds = ["delta", "output_text.done", "output_item.done"]
    gone = kinds[: kinds.index(dropped) + 1]
    kept = [data for data in recorded.TEXT if not any(kind in json.loads(data)["type"] for kind in gone)]
    last = json.loads(kept[-1])
    part = {"type": "output_text", "text": "Bonjour", "annotations": [recorded.ANNOTATION]}
    last["response"]["output"] = [{"type": "message", "content": [part]}]
    events = read([*kept[:-1], json.dumps(last)])
    assert said(events) == "Bonjour"
    assert cited(events) == (Citation("https://tides.example/today", "Tides"),)


def delta(words: str) -> Json:
    return {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": words}


def done(words: str) -> Json:
    return {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": words}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([done("Bonjour"), delta("Bonjour")], id="deltas behind their done"),
        pytest.param([delta("Bon"), done("Bonjour"), delta("jour")], id="a delta behind its done"),
        pytest.param([delta("Bon"), done("Bonjour"), done("Bonjour")], id="a delta is missing"),
    ],
)
def test_a_part_is_said_once_and_whole_in_whatever_order_it_comes(events: list[Json]) -> None:
    assert said(read([json.dumps(event) for event in events])) == "Bonjour"


@pytest.mark.parametrize(
    ("status", "ends"),
    [("incomplete", FinishReason.LENGTH), ("in_progress", FinishReason.STOP), (7, FinishReason.STOP)],
)
def test_a_completed_response_that_says_otherwise_is_believed(status: object, ends: FinishReason) -> None:
    """Failed and cut runs were seen to come in the event of those that are complete."""
    response: Json = {"status": status, "incomplete_details": {"reason": "max_output_tokens"}}
    completed: Json = {"type": "response.completed", "response": response}
    assert read([json.dumps(completed)])[-1] == End(ends)
    failed: Json = {"status": "failed", "error": {"code": "insufficient_quota"}}
    with pytest.raises(errors.QuotaExhausted):
        read([json.dumps({"type": "response.completed", "response": failed})])


def test_a_run_that_goes_on_has_not_ended() -> None:
    """So that it is cancelled, where it would stay on the bill."""
    decoder = ResponsesDecoder(OPENAI, ())
    with pytest.raises(errors.MalformedAnswer):
        list(decoder.decode_whole({"id": "resp_9", "status": "in_progress"}))
    assert not decoder.ended


def test_the_end_of_a_strange_call_does_not_end_ours() -> None:
    """Calls may be streamed side by side."""
    added: list[Json] = [
        {"type": "response.output_item.added", "output_index": index, "item": {**CALL, "name": name}}
        for index, name in enumerate(("theirs", "web_search"))
    ]
    ended: list[Json] = [
        {
            "type": "response.output_item.done",
            "output_index": index,
            "item": {**WHOLE, "name": name},
        }
        for index, name in enumerate(("theirs", "web_search"))
    ]
    events = read([json.dumps(event) for event in (*added, *ended)])
    assert events == [ToolCall("web_search", "tide")]


def test_a_call_of_ours_of_which_no_end_came_is_told_with_the_answers() -> None:
    call = [data for data in recorded.FUNCTION_CALL if "output_item.done" not in data]
    assert [event for event in read(call) if isinstance(event, ToolCall)] == [ToolCall("web_search", "tide")]


def test_more_tokens_than_there_can_be_are_none() -> None:
    """They would use up a person's day, and everybody's minute."""
    stream = [data.replace("77", "77000000000") for data in recorded.TEXT]
    assert not any(isinstance(event, UsageReport) for event in read(stream))


def test_a_call_of_our_function_is_whole_and_one_of_theirs_is_none() -> None:
    """Perplexity streams its own search as a call: only what was offered is ours to answer."""
    assert [event for event in read(recorded.FUNCTION_CALL) if isinstance(event, ToolCall)] == [
        ToolCall("web_search", "tide")
    ]
    assert not any(isinstance(event, ToolCall) for event in read(recorded.AGENT))


@pytest.mark.parametrize(("stream", "query"), [(recorded.AGENT, "tide"), (recorded.HOSTED_SEARCH, "tide")])
def test_what_is_searched_for_is_told(stream: list[str], query: str) -> None:
    """By Perplexity before its results, by OpenAI with the item of the search."""
    found = [event for event in read(stream) if isinstance(event, SearchQuery)]
    assert found[0] == SearchQuery(query)


@pytest.mark.parametrize("queries", [None, [], [7], [{}], "tide", [""]])
def test_queries_of_another_shape_are_ignored(queries: object) -> None:
    """They are only shown."""
    event = json.dumps({"type": "response.reasoning.search_queries", "queries": queries})
    assert read([event]) == []


def test_a_call_behind_one_of_theirs_is_still_ours() -> None:
    """Their call comes first, at another place in the output."""
    ours = [data.replace('"output_index": 0', '"output_index": 3') for data in recorded.FUNCTION_CALL[1:]]
    events = read([*recorded.AGENT[:5], *ours])
    assert ToolCall("web_search", "tide") in events


def test_sources_are_numbered_as_the_text_cites_them() -> None:
    """By their ids: a page that was found twice has two. Where two pages have one, by their place."""
    assert urls(read(recorded.AGENT)) == [
        "https://one.example",
        "https://two.example",
    ]
    found: list[Json] = [
        {"type": "response.reasoning.search_results", "results": [{"id": 2, "url": "https://b.example"}]},
        {"type": "response.reasoning.search_results", "results": [{"id": 1, "url": "https://a.example"}]},
    ]
    assert urls(read([json.dumps(each) for each in found])) == [
        "https://a.example",
        "https://b.example",
    ]
    again: Json = {
        "type": "response.reasoning.search_results",
        "results": [
            {"id": "3", "url": "https://b.example"},
            {"id": 4, "url": 5},
            {"id": 5, "url": "https://c.example"},
            {"id": 0, "url": "https://d.example"},
        ],
    }
    numbered = urls(read([json.dumps(each) for each in (*found, again)]))
    assert numbered == [f"https://{host}.example" if host else "" for host in ("a", "b", "b", "", "c", "d")]
    clash: Json = {
        "type": "response.reasoning.search_results",
        "results": [{"id": 2, "url": "https://a.example"}],
    }
    clashing = urls(read([json.dumps(found[0]), json.dumps(clash)]))
    assert clashing == ["https://b.example", "https://a.example"]


@pytest.mark.parametrize(
    ("reason", "ends"),
    [
        ("max_output_tokens", FinishReason.LENGTH),
        ("content_filter", FinishReason.FILTERED),
        ("steered", FinishReason.OTHER),
    ],
)
def test_an_incomplete_answer_says_why(reason: str, ends: FinishReason) -> None:
    assert read(recorded.incomplete(reason, "Bon"))[-1] == End(ends)
    assert read(recorded.incomplete(reason))[-1] == End(ends)


def test_a_cut_answer_that_is_called_complete_counts_as_cut() -> None:
    """Perplexity was seen to do so; the usage gives it away."""
    assert read(recorded.TEXT, most_tokens=77)[-1] == End(FinishReason.LENGTH)
    assert read(recorded.TEXT, most_tokens=78)[-1] == End(FinishReason.STOP)


@pytest.mark.parametrize("shape", ["nested", "flat", "in the response", "at the top"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("insufficient_quota", errors.QuotaExhausted),
        ("credit_balance_exhausted", errors.QuotaExhausted),
        ("rate_limit_exceeded", errors.RateLimited),
        ("slow_down", errors.RateLimited),
        ("server_error", errors.Overloaded),
        ("internal_error", errors.Overloaded),
        ("invalid_prompt", errors.ContentFiltered),
        ("context_length_exceeded", errors.ContextTooLong),
        ("image_parse_error", errors.FileRefused),
        ("never heard of", errors.Overloaded),
    ],
)
def test_a_failure_after_200_has_the_name_of_its_code(
    code: str, error: type[errors.ProviderError], shape: str
) -> None:
    with pytest.raises(error) as caught:
        read(recorded.failed(code, shape))
    assert type(caught.value) is error
    assert "words" not in caught.value.for_log


def test_an_answer_in_one_piece_is_read_the_same_way() -> None:
    """Whoever may not stream gets it so; a failure comes with 200 there, too."""
    part = {"type": "output_text", "text": "Bonjour", "annotations": []}
    item = {"type": "message", "content": [part]}
    body: Json = {"id": "resp_9", "status": "completed", "output": [item], "usage": recorded.USAGE}
    decoder = ResponsesDecoder(OPENAI, ())
    assert list(decoder.decode_whole(body)) == [
        TextDelta("Bonjour"),
        UsageReport(Usage(41, 77)),
        End(FinishReason.STOP),
    ]
    refused: Json = {"status": "failed", "error": {"code": "insufficient_quota", "message": "words"}}
    with pytest.raises(errors.QuotaExhausted):
        list(ResponsesDecoder(OPENAI, ()).decode_whole(refused))


def test_what_comes_in_one_piece_and_is_no_answer_is_not_called_an_empty_one() -> None:
    """An error is named by its code, whatever the status; of anything else nothing is known."""
    wrong: Json = {"error": {"message": "words", "code": "insufficient_quota"}}
    for decoder in (ResponsesDecoder(OPENAI, ()), ChatDecoder(FOREIGN, ())):
        with pytest.raises(errors.QuotaExhausted):
            list(decoder.decode_whole(wrong))
    nothing: list[Json] = [{}, {"detail": "words"}, {"choices": []}]
    for body in nothing:
        for decoder in (ResponsesDecoder(OPENAI, ()), ChatDecoder(FOREIGN, ())):
            with pytest.raises(errors.MalformedAnswer):
                list(decoder.decode_whole(body))


def test_a_stream_of_chat_completions_with_nothing_but_its_end_is_no_answer() -> None:
    """Some write an error as a field of the event stream, which nobody reads, and end it."""
    with pytest.raises(errors.MalformedAnswer):
        list(ChatDecoder(FOREIGN, ()).decode("[DONE]"))
    refused: Json = {"choices": [{"delta": {}, "finish_reason": "content_filter"}]}
    decoder = ChatDecoder(FOREIGN, ())
    assert [*decoder.decode(json.dumps(refused)), *decoder.decode("[DONE]")] == [End(FinishReason.FILTERED)]


def test_an_error_in_a_stream_has_its_status_beside_whatever_it_calls_that() -> None:
    """Google's say 429 as the code, and its name as the status."""
    limited: Json = {"error": {"code": 429, "message": "words", "status": "RESOURCE_EXHAUSTED"}}
    with pytest.raises(errors.RateLimited):
        list(ChatDecoder(FOREIGN, ()).decode(json.dumps(limited)))


def test_an_answer_without_an_end_in_sight_is_cut() -> None:
    """The reader stops at the bound, and says that the answer goes on."""
    delta: Json = {
        "type": "response.output_text.delta",
        "output_index": 0,
        "content_index": 0,
        "delta": "x" * 300_000,
    }
    decoder = ResponsesDecoder(OPENAI, ())
    events: list[Event] = []
    while End(FinishReason.LENGTH) not in events:
        events += decoder.decode(json.dumps(delta))
    assert len(said(events)) == MOST_TEXT
    assert not decoder.ended, "the provider goes on, and is to be told to stop"


def test_a_whole_answer_beyond_the_bound_is_cut_and_has_one_end() -> None:
    """However many messages it has, and whatever it says of its own end."""
    for decoder, body in ((ResponsesDecoder(OPENAI, ()), LONG), (ChatDecoder(FOREIGN, ()), LONG_CHAT)):
        events = list(decoder.decode_whole(body))
        assert len(said(events)) == MOST_TEXT
        assert [event for event in events if isinstance(event, End)] == [End(FinishReason.LENGTH)]
        assert events[-1] == End(FinishReason.LENGTH)


_TEXT: Json = {"type": "output_text", "text": "x" * 1_500_000}
LONG: Json = {"status": "completed", "output": [{"type": "message", "content": [_TEXT]}] * 2}
LONG_CHAT: Json = {"choices": [{"message": {"content": _TEXT["text"]}, "finish_reason": "stop"}]}


def test_a_text_that_is_told_to_be_complete_again_and_again_is_compared_with_what_came_once() -> None:
    """Each of a thousand events in a chunk would join all the pieces of a long answer."""
    decoder = ResponsesDecoder(OPENAI, ())
    delta = json.dumps({"type": "response.output_text.delta", "delta": "ab"})
    done = json.dumps({"type": "response.output_text.done", "text": ""})
    odd = json.dumps({"type": "response.output_text.done", "text": "another"})
    for data in [delta] * 100_000:
        assert list(decoder.decode(data)) == [TextDelta("ab")]
    start = time.process_time()
    assert not [event for data in [done, odd] * 2000 for event in decoder.decode(data)]
    assert time.process_time() - start < 1
