"""The clients of all dialects against the sandbox's services, which are as strict as the originals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.client import make_provider
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import (
    ChatProvider,
    End,
    Event,
    LimitsReport,
    SourceList,
    TextDelta,
    UsageReport,
)
from discordianai.records import (
    ChatRequest,
    Citation,
    FileLink,
    FinishReason,
    Provider,
    Role,
    SearchMode,
    ToolCall,
    Turn,
)
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, open_server
from discordianai.sandbox.providers import Fault, ProviderService, ServiceOptions, open_providers
from discordianai.sandbox.providers.provider_faults import ErrorShape, FaultKind
from discordianai.sandbox.providers.request_budget import Rate
from discordianai.sandbox.providers.scripted_answers import compose
from discordianai.transport import MultiplexedTransport
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0, perplexity_rates=(Rate(1000),))
MODELS = {"openai": "gpt-6-luna", "perplexity": "fast", "foreign": "local-vision"}
EVERYBODY = pytest.mark.parametrize("who", [OPENAI, PERPLEXITY, FOREIGN], ids=lambda who: who.name)


def options(who: Provider, url: str) -> ProviderOptions:
    return ProviderOptions(
        base_url=url, api_key=SecretStr("sandbox-key"), model=MODELS[who.name], read_timeout=5.0
    )


@asynccontextmanager
async def provider(
    authority: Authority, who: Provider = OPENAI, service_options: ServiceOptions = FAST, **changed: Any
) -> AsyncIterator[tuple[ChatProvider, ProviderService]]:
    async with (
        open_providers(authority, service_options) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        service: ProviderService = getattr(services, who.name)
        yield make_provider(client, who, replace(options(who, service.url), **changed)), service
        assert service.rejected == [], "what the client asks is what the original takes"


def question(text: str = "why?", *before: Turn, **asked: Any) -> ChatRequest:
    return ChatRequest(
        model="",
        turns=(*before, Turn(Role.USER, text)),
        instructions="Be brief.",
        person="abc",
        conversation="def",
        number=1,
        **asked,
    )


async def ask(
    asked: ChatProvider, request: ChatRequest | None = None, into: list[Event] | None = None
) -> list[Event]:
    seen = [] if into is None else into
    request = request or question()
    async with asked.stream(replace(request, model=request.model or asked.model)) as events:
        async for event in events:
            seen.append(event)  # one at a time, so that those before an error are there
    return seen


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def cited(events: list[Event]) -> list[Citation]:
    last = [event.citations for event in events if isinstance(event, SourceList)][-1]
    return [citation for citation in last if citation is not None]


@EVERYBODY
async def test_an_answer_streams_with_limits_first_and_usage_and_one_end_last(
    authority: Authority, who: Provider
) -> None:
    async with provider(authority, who) as (asked, service):
        events = await ask(asked)
    sources = who is PERPLEXITY
    assert text_of(events) == compose(service.label, "why?", [], sources=sources).text
    assert len([event for event in events if isinstance(event, TextDelta)]) > 5
    assert isinstance(events[0], LimitsReport) or who is not OPENAI
    assert isinstance(events[-2], UsageReport)
    assert events[-2].usage.output_tokens > 0
    assert events[-1] == End(FinishReason.STOP)
    assert service.answered == 1


async def test_openai_stores_nothing_and_learns_nobodys_name(authority: Authority) -> None:
    """What goes along is what docs/privacy.md says, and no more."""
    told: dict[str, Any] = {"reasoning_effort": "low", "verbosity": "low", "max_answer_tokens": 500}
    async with provider(authority, **told) as (openai, service):
        await ask(openai, question("why?", Turn(Role.USER, "before"), Turn(Role.ASSISTANT, "said")))
    (body,) = service.requests
    items = body.pop("input")
    assert body == {
        "model": "gpt-6-luna",
        "instructions": "Be brief.",
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "store": False,
        "safety_identifier": "abc",
        "prompt_cache_key": "def",
        "max_output_tokens": 500,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
    }
    assert [(item["role"], item["content"]) for item in items] == [
        ("user", "before"),
        ("assistant", "said"),
        ("user", "why?"),
    ]


async def test_pictures_and_documents_go_along_as_openai_takes_them(authority: Authority) -> None:
    asked_about = Turn(
        Role.USER,
        "what is this?",
        images=("https://cdn.example/a.png",),
        files=(FileLink("a.pdf", "https://cdn.example/a.pdf"),),
    )
    async with provider(authority) as (openai, service):
        await ask(openai, replace(question(), turns=(asked_about,)))
    content = service.requests[0]["input"][0]["content"]
    assert [part["type"] for part in content] == ["input_text", "input_image", "input_file"]


@EVERYBODY
async def test_pictures_go_along_in_every_dialect(authority: Authority, who: Provider) -> None:
    turn = Turn(Role.USER, "what is this?", images=("https://cdn.example/a.png",))
    async with provider(authority, who) as (asked, service):
        await ask(asked, replace(question(), turns=(turn,)))
        assert "https://cdn.example/a.png" in str(service.requests[0])


@pytest.mark.parametrize("model", ["fast", "medium", "perplexity/sonar", "anthropic/claude-haiku-5-5"])
async def test_perplexity_searches_whether_by_preset_or_by_model(authority: Authority, model: str) -> None:
    """A bare model has to be made to search; a preset does so by itself."""
    async with provider(authority, PERPLEXITY, max_answer_tokens=4000) as (perplexity, service):
        events = await ask(perplexity, replace(question(), model=model))
        assert all(citation.url.startswith("https://") and citation.title for citation in cited(events))
        assert f"[{len(cited(events))}]" in text_of(events)
        (body,) = service.requests
        assert ("preset" in body) is (model in {"fast", "medium"})
        assert body["instructions"].startswith("Be brief.\n")
        assert "[1]" in body["instructions"]
        assert "abc" not in str(body)


@pytest.mark.parametrize(
    "kind", [FaultKind.SEARCHES, FaultKind.CLASHING_IDS, FaultKind.UNCITED, FaultKind.NO_SOURCES]
)
async def test_perplexitys_sources_are_listed_however_it_searched(
    authority: Authority, kind: FaultKind
) -> None:
    async with provider(authority, PERPLEXITY) as (perplexity, service):
        service.misbehave(Fault(kind))
        events = await ask(perplexity)
        lists = [event for event in events if isinstance(event, SourceList)]
        assert bool(lists) is (kind is not FaultKind.NO_SOURCES)
        if lists:
            urls = [citation.url for citation in cited(events)]
            assert len(urls) == len(set(urls))


@EVERYBODY
@pytest.mark.parametrize("kind", [FaultKind.TWO_MESSAGES, FaultKind.REASONING, FaultKind.REFUSAL])
async def test_an_answer_out_of_the_ordinary_is_whole(
    authority: Authority, who: Provider, kind: FaultKind
) -> None:
    """Messages are paragraphs, thoughts are none of the text, a refusal is what the model said."""
    async with provider(authority, who) as (asked, service):
        service.misbehave(Fault(kind))
        events = await ask(asked)
    assert text_of(events).strip()
    assert events[-1] == End(FinishReason.STOP)
    if kind is FaultKind.TWO_MESSAGES and who is not FOREIGN:
        assert "\n\n" in text_of(events)


@EVERYBODY
@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FaultKind.LENGTH, FinishReason.LENGTH), (FaultKind.FILTER, FinishReason.FILTERED)],
)
async def test_an_answer_that_was_cut_says_why(
    authority: Authority, who: Provider, kind: FaultKind, reason: FinishReason
) -> None:
    async with provider(authority, who) as (asked, service):
        service.misbehave(Fault(kind))
        events = await ask(asked)
    assert events[-1] == End(reason)


async def test_openais_hosted_search_gives_its_citations_as_sources(authority: Authority) -> None:
    async with provider(authority) as (openai, service):
        events = await ask(openai, question("llamas", search=SearchMode.REQUIRED))
        assert cited(events)
        assert service.requests[0]["tool_choice"] == {"type": "web_search"}
        events = await ask(openai, question("what is new today?", search=SearchMode.OFFERED))
        assert cited(events)
        assert "tool_choice" not in service.requests[1]


@pytest.mark.parametrize("who", [OPENAI, FOREIGN], ids=lambda who: who.name)
async def test_a_call_for_the_web_is_told_once_with_its_query_and_its_usage(
    authority: Authority, who: Provider
) -> None:
    async with provider(authority, who) as (asked, _):
        events = await ask(asked, question("what is new today?", tools=(WEB_SEARCH,)))
        calls = [event for event in events if isinstance(event, ToolCall)]
        assert calls == [ToolCall(WEB_SEARCH.name, "sandbox search: what is new today?")]
        assert text_of(events) == ""
        assert any(isinstance(event, UsageReport) for event in events)
        assert text_of(await ask(asked, question(tools=(WEB_SEARCH,))))


@EVERYBODY
@pytest.mark.parametrize(
    ("fault", "error", "retry"),
    [
        (Fault.wrong_key(), errors.AuthenticationFailed, False),
        (Fault.quota(), errors.QuotaExhausted, False),
        (Fault.quota("organization_spend_limit_exceeded"), errors.QuotaExhausted, False),
        (Fault.rate_limited(7), errors.RateLimited, True),
        (Fault.slow_down(), errors.RateLimited, True),
        (Fault.overloaded(), errors.Overloaded, True),
        (Fault(FaultKind.STATUS, status=500), errors.Overloaded, True),
        (Fault.too_long(), errors.ContextTooLong, False),
        (Fault.invalid_prompt(), errors.ContentFiltered, False),
        (
            Fault(FaultKind.STATUS, status=400, code="model_not_found", param="model"),
            errors.ModelNotFound,
            False,
        ),
        (Fault(FaultKind.STATUS, status=403, code="request_forbidden"), errors.PermissionDenied, False),
        (Fault(FaultKind.CUT, after=5), errors.ConnectionLost, True),
        (Fault(FaultKind.ABORT, after=5), errors.ConnectionLost, True),
        (Fault(FaultKind.END, after=5), errors.ConnectionLost, True),
        (Fault(FaultKind.HALF_CHARACTER, after=5), errors.ConnectionLost, True),
        (Fault(FaultKind.EVENT, after=5), errors.Overloaded, True),
        (Fault.in_stream("insufficient_quota"), errors.QuotaExhausted, False),
        (Fault.in_stream("rate_limit_exceeded", 3), errors.RateLimited, True),
    ],
)
async def test_each_failure_has_its_name_and_tells_no_secrets(
    authority: Authority, fault: Fault, error: type[errors.ProviderError], retry: bool, who: Provider
) -> None:
    if who is PERPLEXITY and error in {errors.ContextTooLong, errors.ContentFiltered}:
        error = errors.BadRequest  # it has no codes for these
    async with provider(authority, who) as (asked, service):
        service.misbehave(fault)
        with pytest.raises(error) as caught:
            await ask(asked)
    assert type(caught.value) is error
    assert caught.value.safe_to_retry is retry
    assert service.label in caught.value.for_person or who is FOREIGN
    for words in ("sandbox-key", "why", "secret words", "words of the question"):
        assert words not in caught.value.for_log
    if isinstance(caught.value, errors.RateLimited) and fault.seconds:
        assert caught.value.retry_after == 7


@pytest.mark.parametrize("who", [OPENAI, PERPLEXITY], ids=lambda who: who.name)
@pytest.mark.parametrize("shape", list(ErrorShape))
async def test_a_failure_in_a_stream_is_read_in_each_of_its_forms(
    authority: Authority, who: Provider, shape: ErrorShape
) -> None:
    async with provider(authority, who) as (asked, service):
        service.misbehave(Fault.in_stream("server_error", 2, shape), Fault(FaultKind.FAILED))
        for _ in range(2):
            with pytest.raises(errors.Overloaded):
                await ask(asked)


async def test_what_came_before_a_cut_is_kept(authority: Authority) -> None:
    async with provider(authority) as (openai, service):
        service.misbehave(Fault(FaultKind.CUT, after=5))
        seen: list[Event] = []
        with pytest.raises(errors.ConnectionLost):
            await ask(openai, into=seen)
    assert text_of(seen) == "".join(compose("OpenAI", "why?", [], sources=False).pieces[:5])


@EVERYBODY
async def test_who_may_not_stream_is_asked_without(authority: Authority, who: Provider) -> None:
    async with provider(authority, who) as (asked, service):
        service.misbehave(Fault.no_streaming())
        events = await ask(asked)
        assert text_of(events) == compose(service.label, "why?", [], sources=who is PERPLEXITY).text
        assert "stream" not in service.requests[-1]
        assert events[-1] == End(FinishReason.STOP)


async def test_an_endpoint_that_refuses_tools_says_so(authority: Authority) -> None:
    async with provider(authority) as (asked, service):
        service.misbehave(Fault.no_tools())
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, question(tools=(WEB_SEARCH,)))


@pytest.mark.parametrize("who", [OPENAI, FOREIGN], ids=lambda who: who.name)
async def test_leaving_early_makes_the_provider_stop(authority: Authority, who: Provider) -> None:
    async with provider(authority, who) as (asked, service):
        await leave_early(asked, service)
        with trio.move_on_after(1):
            while service.in_flight:  # noqa: ASYNC110  # the sandbox has no event for it
                await trio.sleep(0.01)
        assert service.in_flight == 0


async def leave_early(asked: ChatProvider, service: ProviderService) -> None:
    service.misbehave(Fault(FaultKind.STALL, after=3))
    async with asked.stream(replace(question(), model=asked.model)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
        assert service.in_flight == 1


@pytest.mark.slow
async def test_perplexity_is_told_to_stop(authority: Authority) -> None:
    """Closing the stream leaves its run going on, and on the bill; so does losing it."""
    async with open_providers(authority, replace(FAST, between_tokens=0.02)) as services:
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport) as client:
            asked = make_provider(client, PERPLEXITY, options(PERPLEXITY, services.perplexity.url))
            await ask(asked)
            assert services.perplexity.cancelled == []
            await leave_early(asked, services.perplexity)
            assert len(services.perplexity.cancelled) == 1
            services.perplexity.misbehave(Fault(FaultKind.CUT, after=3))
            with pytest.raises(errors.ConnectionLost):
                await ask(asked)
            assert len(services.perplexity.cancelled) == 2
        assert services.perplexity.rejected == []


async def test_a_cancelled_question_still_cancels_its_run(authority: Authority) -> None:
    """The cancellation goes out although the task that asked is cancelled itself."""
    async with open_providers(authority, FAST) as services:
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport) as client:
            asked = make_provider(client, PERPLEXITY, options(PERPLEXITY, services.perplexity.url))
            services.perplexity.misbehave(Fault(FaultKind.STALL, after=3))
            with trio.move_on_after(0.5):
                await ask(asked)
            assert len(services.perplexity.cancelled) == 1


@pytest.mark.parametrize("who", [OPENAI, FOREIGN], ids=lambda who: who.name)
@pytest.mark.parametrize(
    ("changed", "after"), [({"first_token_timeout": 0.2}, 0), ({"read_timeout": 0.2}, 3)]
)
async def test_silence_has_an_end_before_the_first_token_and_after_it(
    authority: Authority, changed: dict[str, Any], after: int, who: Provider
) -> None:
    async with provider(authority, who, **changed) as (asked, service):
        service.misbehave(Fault(FaultKind.STALL, after=after))
        began = trio.current_time()
        with pytest.raises(errors.TimedOut):
            await ask(asked)
        assert 0.2 <= trio.current_time() - began < 2


@pytest.mark.parametrize("who", [OPENAI, PERPLEXITY, FOREIGN], ids=lambda who: who.name)
async def test_an_answer_that_drips_on_ends_at_its_deadline(authority: Authority, who: Provider) -> None:
    """Whoever asks does not watch over it any more once it has begun."""
    async with provider(authority, who, replace(FAST, between_tokens=0.05)) as (asked, _service):
        deadline = trio.current_time() + 1.5  # the first words come before it on a busy machine, too
        async with asked.stream(replace(question(), model=asked.model), deadline) as events:
            while not isinstance(await anext(events), TextDelta):
                pass
            with pytest.raises(errors.TimedOut):
                _ = [event async for event in events]
        assert 0 <= trio.current_time() - deadline < 1


@pytest.mark.parametrize("who", [OPENAI, PERPLEXITY], ids=lambda who: who.name)
async def test_events_are_told_by_their_json_alone(authority: Authority, who: Provider) -> None:
    """Some send `event:` lines, some don't; keep-alives come between."""
    bare = replace(FAST, event_lines=False, keep_alive=0.01, first_token=0.05)
    async with provider(authority, who, bare) as (asked, service):
        expected = compose(service.label, "why?", [], sources=who is PERPLEXITY).text
        assert text_of(await ask(asked)) == expected


async def test_a_dialect_that_the_endpoint_does_not_have_is_an_error_in_words(authority: Authority) -> None:
    """An explicit dialect is believed; what answers it with 404 is named."""
    async with open_providers(authority, FAST) as services:
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport) as client:
            wrong = {
                OPENAI: services.foreign.url,
                PERPLEXITY: services.foreign.url,
                FOREIGN: services.perplexity.url,
            }
            for who, url in wrong.items():
                with pytest.raises(errors.EndpointNotFound) as caught:
                    await ask(make_provider(client, who, options(who, url)))
                assert "the dialect" in caught.value.for_person


async def test_a_provider_that_is_not_there_is_a_lost_connection(authority: Authority) -> None:
    async with httpx.AsyncClient() as client:
        nobody = make_provider(client, OPENAI, options(OPENAI, "https://127.0.0.1:1"))
        with pytest.raises(errors.ConnectionLost):
            await ask(nobody)


AWKWARD = (
    b"\xef\xbb\xbfdata: " + '{"choices":[{"delta":{"content":"first\u2028\u0085"}}]}'.encode() + b"\r\n\r\n",
    b": keep-alive\n\ndata:\n\nid: 7\n\n",
    *(bytes([byte]) for byte in 'data: {"choices":[{"delta":{"content":"é😀"}}]}\n\n'.encode()),
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
)


async def test_the_stream_is_read_by_the_standard_not_by_lines(authority: Authority) -> None:
    """A byte order mark, line separators inside JSON, characters cut anywhere, no [DONE]."""

    async def handler(exchange: ServerExchange) -> None:
        await exchange.start(200, [("content-type", "text/event-stream")])
        for piece in AWKWARD:
            await exchange.send(piece)
        await exchange.finish()

    async with (
        open_server(handler, authority=authority) as server,
        httpx.AsyncClient(http2=True, verify=authority.client_context()) as client,
    ):
        events = await ask(make_provider(client, FOREIGN, options(FOREIGN, server.url)))
    assert text_of(events) == "first\u2028\u0085é😀"
    assert events[-1] == End(FinishReason.STOP)
