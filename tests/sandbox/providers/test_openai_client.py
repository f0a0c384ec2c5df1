"""The official client takes the sandbox's service for OpenAI's, and finds its types kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, ServiceOptions, open_providers
from discordianai.sandbox.providers.provider_faults import ErrorShape, FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.lazy_module import LazyModule
from tests.sandbox.providers.clients import FAST, checked, strange, with_openai

if TYPE_CHECKING:
    import openai
    from openai.types import responses
else:
    openai, responses = LazyModule("openai"), LazyModule("openai.types.responses")

pytestmark = pytest.mark.xdist_group("official clients")  # one worker imports them

ROUTER = {
    "type": "function",
    "name": "web_search",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
}
TEXT_ORDER = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
REASONING_ORDER = ["response.output_item.added", "response.output_item.done"]


async def stream(
    authority: Authority, fault: Fault | None = None, options: ServiceOptions = FAST, **body: object
) -> list[responses.ResponseStreamEvent]:
    """The events of one question, each checked against its type but where recordings say otherwise."""
    asked = {"model": "gpt-6-luna", "input": "why?", **body}
    async with open_providers(authority, options) as services:
        if fault is not None:
            services.openai.misbehave(fault)

        def use(client: openai.OpenAI) -> list[responses.ResponseStreamEvent]:
            return list(client.responses.create(stream=True, **asked))  # type: ignore[call-overload]  # any body

        events = await with_openai(services.openai, authority, use)
        assert services.openai.rejected == []
    for event in strange(events):
        assert event["type"] == "response.output_item.added"
        assert event["item"]["type"] == "web_search_call"
        assert "action" not in event["item"]  # the client's type wants it already; live, it comes at the end
    return events


async def whole(authority: Authority, fault: Fault | None = None, **body: object) -> responses.Response:
    """One answer that is not streamed, checked against its type."""
    asked = {"model": "gpt-6-luna", "input": "why?", **body}
    async with open_providers(authority, FAST) as services:
        if fault is not None:
            services.openai.misbehave(fault)

        def use(client: openai.OpenAI) -> responses.Response:
            response: responses.Response = client.responses.create(**asked)  # type: ignore[call-overload]  # any body
            return response

        return checked(await with_openai(services.openai, authority, use))


def order(events: list[responses.ResponseStreamEvent]) -> list[str]:
    """The types of the events, repeated ones once."""
    types = [event.type for event in events]
    return [kind for kind, before in zip(types, [None, *types], strict=False) if kind != before]


def final(events: list[responses.ResponseStreamEvent]) -> responses.Response:
    """The response of the terminal event."""
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    return last.response


def each(events: list[responses.ResponseStreamEvent], kind: str, key: str) -> list[Any]:
    """What stands under `key` in each event of this kind."""
    return [event.to_dict()[key] for event in events if event.type == f"response.{kind}"]


async def test_an_answer_streams_in_openais_order_and_adds_up(authority: Authority) -> None:
    """Reasoning in silence, then one message; deltas, done and item agree; numbers count from 0."""
    events = await stream(authority, store=False, stream_options={"include_obfuscation": False})
    opening = ["response.created", "response.in_progress"]
    assert order(events) == [*opening, *REASONING_ORDER, *TEXT_ORDER, "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    response = final(events)
    reasoning, message = response.output
    assert isinstance(reasoning, responses.ResponseReasoningItem)
    assert reasoning.summary == []
    assert isinstance(message, responses.ResponseOutputMessage)
    assert message.phase == "final_answer"
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 64
    assert response.store is False  # type: ignore[attr-defined]  # the type has no field for it
    assert not any("obfuscation" in event.to_dict() for event in events)


async def test_deltas_are_padded_unless_that_is_switched_off(authority: Authority) -> None:
    """Every delta has its padding."""
    events = await stream(authority)
    assert all(each(events, "output_text.delta", "obfuscation"))


async def test_summaries_come_where_they_are_asked_for(authority: Authority) -> None:
    """The parts that stream are those of the item."""
    events = await stream(authority, reasoning={"effort": "high", "summary": "auto"})
    item = final(events).output[0]
    assert isinstance(item, responses.ResponseReasoningItem)
    said = each(events, "reasoning_summary_text.done", "text")
    assert [part.text for part in item.summary] == said != []


async def test_a_function_is_called_in_pieces(authority: Authority) -> None:
    """The pieces of the arguments are the arguments."""
    events = await stream(authority, input="the news today", tools=[ROUTER], parallel_tool_calls=False)
    call = final(events).output[-1]
    assert isinstance(call, responses.ResponseFunctionToolCall)
    assert "".join(each(events, "function_call_arguments.delta", "delta")) == call.arguments
    assert call.arguments == '{"query": "sandbox search: the news today"}'
    assert final(events).output_text == ""


async def test_the_hosted_search_cites_what_it_found(authority: Authority) -> None:
    """Each annotation marks a link in brackets; its sources come with the action where asked for."""
    events = await stream(
        authority,
        fault=Fault(FaultKind.SEARCHES),
        tools=[{"type": "web_search"}],
        tool_choice="required",
        include=["web_search_call.action.sources"],
    )
    response = final(events)
    searches = [item for item in response.output if isinstance(item, responses.ResponseFunctionWebSearch)]
    assert len(searches) == 2
    assert searches[0].action.type == "search"
    assert searches[0].action.sources
    message = response.output[-1]
    assert isinstance(message, responses.ResponseOutputMessage)
    part = message.content[0]
    assert part.type == "output_text"
    told = each(events, "output_text.annotation.added", "annotation")
    assert len(told) == len(part.annotations) >= 2
    for annotation in part.annotations:
        assert annotation.type == "url_citation"
        marked = part.text[annotation.start_index : annotation.end_index]
        assert marked.startswith("([")
        assert annotation.url in marked


async def test_an_answer_comes_whole_too(authority: Authority) -> None:
    """Without a stream, one object."""
    response = await whole(authority)
    assert response.status == "completed"
    assert response.output_text == compose("OpenAI", "why?", [], sources=False).text


async def test_models_are_listed_with_the_date_of_their_end(authority: Authority) -> None:
    """gpt-5-mini has one, its successor has none, and an unknown one is not found."""
    async with open_providers(authority, FAST) as services:

        def use(client: openai.OpenAI) -> tuple[dict[str, str | None], str | None]:
            listed = {model.id: checked(model).shutdown_date for model in client.models.list()}
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve("gpt-4")
            return listed, checked(client.models.retrieve("gpt-5-mini")).shutdown_date

        listed, retrieved = await with_openai(services.openai, authority, use)
    assert listed["gpt-5-mini"] == retrieved == "2026-12-11"
    assert listed["gpt-6-luna"] is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.REFUSAL),
        Fault(FaultKind.TWO_MESSAGES),
        Fault(FaultKind.REASONING),
        Fault(FaultKind.LENGTH),
        Fault(FaultKind.FILTER),
        Fault(FaultKind.THOUGHT_ONLY),
        Fault(FaultKind.EMPTY),
        Fault.in_stream("server_error", 3, ErrorShape.FAILED),
        Fault.in_stream("rate_limit_exceeded", 3, ErrorShape.FLAT),
    ],
    ids=lambda fault: fault.kind.name,
)
async def test_rarer_streams_keep_the_types_too(authority: Authority, fault: Fault) -> None:
    """Every event of each, with one that ends the stream."""
    events = await stream(authority, fault)
    terminal = ("response.completed", "response.incomplete", "response.failed", "error")
    assert [event.type for event in events if event.type in terminal] == [events[-1].type]


async def test_the_client_raises_on_an_error_that_is_nested(authority: Authority) -> None:
    """As the live service sends it where money runs out inside a stream; no type of the client's has it."""
    async with open_providers(authority, FAST) as services:
        services.openai.misbehave(Fault.in_stream("insufficient_quota"))

        def use(client: openai.OpenAI) -> str | None:
            with pytest.raises(openai.APIError) as caught:
                list(client.responses.create(model="gpt-6-luna", input="why?", stream=True))
            return caught.value.code

        assert await with_openai(services.openai, authority, use) == "insufficient_quota"


async def test_a_code_that_the_clients_type_does_not_know_comes_nevertheless(authority: Authority) -> None:
    """`insufficient_quota` was recorded in `response.failed`, beyond the type's list."""
    async with open_providers(authority, FAST) as services:
        services.openai.misbehave(Fault.in_stream("insufficient_quota", shape=ErrorShape.FAILED))

        def use(client: openai.OpenAI) -> list[responses.ResponseStreamEvent]:
            return list(client.responses.create(model="gpt-6-luna", input="why?", stream=True))

        (failed,) = strange(await with_openai(services.openai, authority, use))
    assert failed["response"]["error"]["code"] == "insufficient_quota"
