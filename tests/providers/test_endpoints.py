"""Endpoints of many kinds, each a double with the refusals and quirks of its original, over real sockets."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.client import make_provider
from discordianai.providers.optional_fields import AGAIN_AFTER, OptionalField, RefusedFields
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.providers.port import ChatProvider, End, TextDelta, UsageReport
from discordianai.records import ChatRequest, Dialect, FinishReason, Role, ToolCall, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import FAMILIES, EndpointService, ServiceOptions, open_endpoints
from discordianai.sandbox.providers.endpoints.family import UsageWhen
from discordianai.transport import MultiplexedTransport

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0)
WISHES: dict[str, Any] = {"reasoning_effort": "low", "verbosity": "low", "max_answer_tokens": 5000}
EVERY_FAMILY = pytest.mark.parametrize("name", FAMILIES)


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def endpoint(
    authority: Authority,
    name: str,
    clock: Clock | None = None,
    dialect: Dialect = Dialect.CHAT,
    **wishes: Any,
) -> AsyncIterator[tuple[ChatProvider, EndpointService, RefusedFields]]:
    """A provider whose endpoint is the double of that name."""
    async with (
        open_endpoints(authority, [name], FAST) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        service = services[name]
        who = record(name, service.family.label, dialect)
        options = ProviderOptions(
            base_url=service.url, api_key=SecretStr("sandbox-key"), model=service.family.models[0], **wishes
        )
        refused = RefusedFields(clock or Clock())
        yield make_provider(client, who, options, refused), service, refused


def question(text: str = "why?", **asked: Any) -> ChatRequest:
    return ChatRequest("", (Turn(Role.USER, text),), instructions="Be brief.", number=1, **asked)


async def ask(asked: ChatProvider, request: ChatRequest | None = None) -> tuple[str, list[object]]:
    """The text, and all other events."""
    request = request or question()
    text, others = "", list[object]()
    async with asked.stream(replace(request, model=request.model or asked.model)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            else:
                others.append(event)
    return text, others


@EVERY_FAMILY
async def test_the_first_question_is_answered_and_the_second_costs_one_request(
    authority: Authority, name: str
) -> None:
    """With everything that may be set, at its default model; what it thinks is none of the text."""
    async with endpoint(authority, name, **WISHES) as (asked, service, refused):
        text, events = await ask(asked)
        assert "why?”" in text
        assert "two sides" not in text, "reasoning is not text"
        assert "<think" not in text
        assert "</think" not in text
        assert events[-1] == End(FinishReason.STOP)
        told = any(isinstance(event, UsageReport) for event in events)
        assert told is (service.family.usage is not UsageWhen.NEVER)
        before = service.asked
        await ask(asked)
        assert service.asked == before + 1
        assert {each.field for each in refused.left_out(name)} == LEFT_OUT[name]
        body = service.requests[-1]
        assert body.get("max_completion_tokens", body.get("max_tokens")) == 5000, "the limit is always sent"


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.responses])
async def test_the_same_holds_for_its_responses_interface(authority: Authority, name: str) -> None:
    """Where it has one. What only OpenAI has is left out: identifiers, stream options, verbosity."""
    async with endpoint(authority, name, dialect=Dialect.RESPONSES, **WISHES) as (asked, service, refused):
        before = Turn(Role.USER, "before"), Turn(Role.ASSISTANT, "said")
        request = question(person="abc", conversation="def")
        request = replace(request, turns=(*before, *request.turns))
        text, events = await ask(asked, request)
        assert "You asked: “why?”" in text
        assert "two sides" not in text
        assert events[-1] == End(FinishReason.STOP)
        first = service.asked
        await ask(asked, request)
        assert service.asked == first + 1
        body = service.requests[-1]
        assert (body["store"], body["max_output_tokens"]) == (False, 5000)
        left_out = {each.field for each in refused.left_out(name)}
        assert left_out >= {F.IDENTIFIERS, F.STREAM_OPTIONS, F.VERBOSITY, F.PHASE}
        assert F.TOOLS not in left_out


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.responses])
async def test_an_endpoint_without_the_responses_interface_says_so(authority: Authority, name: str) -> None:
    async with endpoint(authority, name, dialect=Dialect.RESPONSES) as (asked, _, _):
        with pytest.raises(errors.EndpointNotFound):
            await ask(asked)


F = OptionalField
LEFT_OUT: dict[str, set[OptionalField]] = {
    "ollama": {F.EFFORT},
    "vllm": {F.VERBOSITY},
    "llama-cpp": set(),
    "lm-studio": {F.SYSTEM_ROLE},
    "openrouter": set(),
    "azure": {F.VERBOSITY, F.EFFORT},
    "mistral": {F.VERBOSITY, F.EFFORT, F.STREAM_OPTIONS, F.LIMIT_NAME},
    "groq": {F.VERBOSITY, F.EFFORT},
    "deepseek": set(),
    "gemini": {F.VERBOSITY},
    "anthropic": set(),
    "together": set(),
    "fireworks": {F.VERBOSITY, F.LIMIT_NAME},
    "xai": {F.EFFORT},
}
"""What the default model of each refuses, of all that may be set, and nothing else."""

TOOLS_REFUSED = [name for name, family in FAMILIES.items() if family.models[0] in family.without_tools]


@pytest.mark.parametrize("name", TOOLS_REFUSED)
async def test_an_endpoint_that_refuses_tools_says_so_and_is_not_asked_again(
    authority: Authority, name: str
) -> None:
    """Whoever chose the tools decides who answers without; from then on that costs no request."""
    clock = Clock()
    async with endpoint(authority, name, clock) as (asked, service, refused):
        with pytest.raises(errors.ToolsRefused) as caught:
            await ask(asked, question(tools=(WEB_SEARCH,)))
        assert caught.value.until == AGAIN_AFTER
        before = service.asked
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, question(tools=(WEB_SEARCH,)))
        assert service.asked == before
        await ask(asked)
        assert service.asked == before + 1
        clock.now = AGAIN_AFTER
        assert refused.left_out(name) == ()
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, question(tools=(WEB_SEARCH,)))
        assert service.asked > before + 1, "after a day it is asked with tools again"


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in TOOLS_REFUSED])
async def test_a_call_is_understood_however_it_streams(authority: Authority, name: str) -> None:
    async with endpoint(authority, name) as (asked, _, _):
        text, events = await ask(asked, question("what is new today?", tools=(WEB_SEARCH,)))
        (call,) = [event for event in events if isinstance(event, ToolCall)]
        assert call.name == WEB_SEARCH.name
        assert call.argument.startswith("sandbox search: ")
        assert call.argument.endswith("what is new today?")
        assert "You asked" not in text


def refusals(name: str) -> Iterator[tuple[ChatRequest, type[errors.ProviderError]]]:
    """Each question that the endpoint refuses, and its error."""
    family = FAMILIES[name]
    yield question("word " * 9000), errors.ContextTooLong
    yield question("how? !policy"), errors.ContentFiltered
    if not family.any_model:
        yield replace(question(), model="no-such-model"), errors.ModelNotFound
    if family.models[0] in family.without_images:
        picture = Turn(Role.USER, "what is this?", images=("https://cdn.example/a.png",))
        yield replace(question(), turns=(picture,)), errors.FileRefused


@EVERY_FAMILY
async def test_a_question_that_is_refused_itself_costs_one_request_and_teaches_nothing(
    authority: Authority, name: str
) -> None:
    """It is told truly, whatever the words, the status and the form."""
    async with endpoint(authority, name) as (asked, service, refused):
        await ask(asked)  # what it refuses of every question is known from here on
        for asked_of, error in refusals(name):
            before, known = service.asked, refused.left_out(name)
            with pytest.raises(error) as caught:
                await ask(asked, asked_of)
            assert type(caught.value) is error
            # What Mistral refuses of every question, it refuses before it looks for a model that it has not.
            cost = 2 if name == "mistral" and error is errors.ModelNotFound else 1
            assert service.asked == before + cost
            assert refused.left_out(name) == known
            await ask(asked)
            assert service.asked == before + cost + 1


@EVERY_FAMILY
async def test_a_wrong_key_is_told_as_one(authority: Authority, name: str) -> None:
    async with (
        endpoint(authority, name) as (_, service, _),
        httpx.AsyncClient(verify=authority.client_context()) as client,
    ):
        options = ProviderOptions(base_url=service.url, api_key=SecretStr("wrong"), model="m")
        with pytest.raises(errors.AuthenticationFailed):
            await ask(make_provider(client, record(name, name, Dialect.CHAT), options))
