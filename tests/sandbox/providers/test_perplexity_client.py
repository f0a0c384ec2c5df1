"""The official client takes the sandbox's service for Perplexity's.

Its types are kept but where recordings of the live service say otherwise: those are followed, and named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, open_providers
from discordianai.sandbox.providers.api_errors import Rejection
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from tests.lazy_module import LazyModule
from tests.sandbox.providers.clients import FAST, checked, strange, with_perplexity

if TYPE_CHECKING:
    import perplexity
    from perplexity.generated import api
else:
    perplexity, api = LazyModule("perplexity"), LazyModule("perplexity.generated.api")

pytestmark = pytest.mark.xdist_group("official clients")  # one worker imports them

ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.reasoning.search_queries",
    "response.reasoning.search_results",
    "response.output_item.done",
    "response.output_item.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_item.done",
    "response.completed",
]


async def stream(
    authority: Authority, fault: Fault | None = None, **body: object
) -> list[api.ResponseStreamEventOutput]:
    """The events of one question."""
    asked = {"input": "why?", **body}
    async with open_providers(authority, FAST) as services:
        if fault is not None:
            services.perplexity.misbehave(fault)

        def use(client: perplexity.Perplexity) -> list[api.ResponseStreamEventOutput]:
            return list(client.responses.create(stream=True, **asked))  # type: ignore[call-overload]  # any body

        events = await with_perplexity(services.perplexity, authority, use)
        assert services.perplexity.rejected == []
    return events


def order(events: list[api.ResponseStreamEventOutput]) -> list[str]:
    """The types of the events, repeated ones once."""
    types: list[str] = [event.type for event in events]
    return [kind for kind, before in zip(types, [None, *types], strict=False) if kind != before]


async def test_a_preset_searches_and_answers_in_the_recorded_order(authority: Authority) -> None:
    """Its own call turns into results at the same index; `content: null` alone breaks the client's types."""
    events = await stream(authority, preset="fast")
    assert order(events) == ORDER
    (opened,) = strange(events)
    assert opened["type"] == "response.output_item.added"
    assert opened["item"]["content"] is None
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    assert {2, 17, 19}.isdisjoint(numbers)
    created, completed = events[0], events[-1]
    assert isinstance(created, api.ResponseCreatedEventOutput)
    assert isinstance(completed, api.ResponseCompletedEventOutput)
    assert created.response is not None
    assert completed.response is not None
    assert (created.response.model, completed.response.model) == ("fast", "openai/gpt-6-luna")
    answer = compose("Perplexity", "why?", [], sources=True)
    assert completed.response.output_text == answer.text
    found = completed.response.output[0]
    assert isinstance(found, api.SearchResultsOutputItemOutput)
    assert [(result.id, result.url) for result in found.results] == [
        (number, source.url) for number, source in enumerate(answer.sources, start=1)
    ]
    assert all(result.snippet and result.date for result in found.results)
    usage = completed.response.usage
    assert usage is not None
    assert usage.cost is not None
    assert usage.cost.total_cost > 0.0025
    assert usage.tool_calls_details is not None
    assert usage.tool_calls_details["search_web"].invocation == 1


async def test_a_model_searches_where_it_is_forced_to(authority: Authority) -> None:
    """The tool alone is an offer; with `tool_choice` it is used."""
    tools = [{"type": "web_search"}]
    offered = await stream(authority, model="perplexity/sonar", tools=tools)
    assert "response.reasoning.search_results" not in order(offered)
    forced = await stream(
        authority, model="perplexity/sonar", tools=tools, tool_choice={"type": "web_search"}
    )
    assert order(forced) == ORDER


async def test_a_second_search_may_have_the_ids_of_the_first(authority: Authority) -> None:
    """Same ids, other addresses."""
    events = await stream(authority, Fault(FaultKind.CLASHING_IDS), preset="fast")
    first, second = [event for event in events if isinstance(event, api.SearchResultsEventOutput)]
    assert {result.id for result in first.results} & {result.id for result in second.results}
    assert {result.url for result in first.results}.isdisjoint(result.url for result in second.results)


async def test_a_function_of_ours_comes_whole(authority: Authority) -> None:
    """The item has its arguments from the start, and no events for them."""
    tool = {"type": "function", "name": "look_up", "parameters": {"properties": {"words": {}}}}
    events = await stream(authority, input="the news", model="openai/gpt-6-luna", tools=[tool])
    assert strange(events) == []
    assert order(events)[2:] == ["response.output_item.added", *ORDER[-2:]]
    added = events[2]
    assert isinstance(added, api.OutputItemAddedEventOutput)
    assert isinstance(added.item, api.FunctionCallOutputItemOutput)
    assert added.item.arguments == '{"words": "sandbox search: the news"}'


async def test_an_answer_comes_whole_too(authority: Authority) -> None:
    """Without a stream, one object; the run's id is the request's, without its prefix."""
    async with open_providers(authority, FAST) as services:

        def use(client: perplexity.Perplexity) -> tuple[api.ResponsesResponseOutput, str]:
            answered = client.responses.with_raw_response.create(preset="fast", input="why?")
            parsed: api.ResponsesResponseOutput = answered.parse()
            return parsed, answered.headers["x-request-id"]

        response, request_id = await with_perplexity(services.perplexity, authority, use)
    assert checked(response).output_text == compose("Perplexity", "why?", [], sources=True).text
    assert response.id == f"resp_{request_id}"


async def test_models_are_listed_without_a_key(authority: Authority) -> None:
    """No presets among them."""
    async with open_providers(authority, FAST) as services:
        services.perplexity.options = FAST

        def use(client: perplexity.Perplexity) -> list[str]:
            client.api_key = "none"
            return [checked(model).id for model in client.models.list().data]

        models = await with_perplexity(services.perplexity, authority, use)
    assert "perplexity/sonar" in models
    assert "fast" not in models


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/sonar", "/v1/chat/completions"])
async def test_the_ended_paths_are_not_found(authority: Authority, path: str) -> None:
    """A 404 with a right body and a right key, whatever the question."""
    async with open_providers(authority, FAST) as services:

        def use(client: perplexity.Perplexity) -> None:
            with pytest.raises(perplexity.NotFoundError):
                client.post(path, cast_to=object, body={"model": "sonar", "messages": []})

        await with_perplexity(services.perplexity, authority, use)
        assert services.perplexity.rejected == [Rejection(path, 404, "not_found", None)]


@pytest.mark.parametrize(
    ("fault", "beyond"),
    [
        (Fault(FaultKind.REFUSAL), []),
        (Fault(FaultKind.REASONING), []),
        (Fault(FaultKind.SEARCHES), []),
        (Fault(FaultKind.TWO_MESSAGES), []),
        (Fault(FaultKind.UNCITED), []),
        (Fault.in_stream("internal_error", 3), []),
        (Fault(FaultKind.LENGTH), ["response.incomplete"]),
        (Fault(FaultKind.FILTER), ["response.incomplete"]),
    ],
    ids=lambda value: value.kind.name if isinstance(value, Fault) else "",
)
async def test_rarer_streams_keep_the_types_too(
    authority: Authority, fault: Fault, beyond: list[str]
) -> None:
    """But for messages that open with `content: null`, and `response.incomplete`, which the client lacks."""
    events = await stream(authority, fault, preset="fast")
    odd = [event for event in strange(events) if (event.get("item") or {}).get("content", "") is not None]
    assert [event["type"] for event in odd] == beyond
