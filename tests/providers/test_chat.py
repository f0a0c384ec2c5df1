"""Both providers' clients against the sandbox's services, over real TLS and HTTP/2."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.model import ChatRequest, Chunk, FinishReason, ProviderName, Role, ToolCall, Turn
from discordianai.providers import errors
from discordianai.providers.factory import make_provider
from discordianai.providers.port import ChatProvider, ProviderOptions
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import Exchange, open_server
from discordianai.sandbox.providers import Fault, ProviderService, ServiceOptions, open_providers
from discordianai.sandbox.providers.answers import compose
from discordianai.sandbox.providers.faults import Kind
from discordianai.transport import MultiplexedTransport

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0)
MODELS = {ProviderName.OPENAI: "gpt-5-mini", ProviderName.PERPLEXITY: "sonar-pro"}


def options(name: ProviderName, url: str) -> ProviderOptions:
    return ProviderOptions(name, url, SecretStr("sandbox-key"), MODELS[name], read_timeout=5.0)


@asynccontextmanager
async def provider(
    authority: Authority, name: ProviderName = ProviderName.OPENAI, **changed: Any
) -> AsyncIterator[tuple[ChatProvider, ProviderService]]:
    async with (
        open_providers(authority, FAST) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        service = services.openai if name is ProviderName.OPENAI else services.perplexity
        yield make_provider(client, replace(options(name, service.url), **changed)), service


def question(text: str = "why?", *before: Turn) -> ChatRequest:
    return ChatRequest(
        model="", turns=(*before, Turn(Role.USER, text)), instructions="Be brief.", person="abc", number=1
    )


async def ask(
    asked: ChatProvider, request: ChatRequest | None = None, into: list[Chunk] | None = None
) -> list[Chunk]:
    seen = [] if into is None else into
    async with asked.stream(replace(request or question(), model=asked.model)) as chunks:
        async for chunk in chunks:
            seen.append(chunk)  # one at a time, so that those before an error are there
    return seen


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_openai_streams_with_usage_and_the_hashed_person(authority: Authority) -> None:
    async with provider(authority, reasoning_effort="low", max_answer_tokens=500) as (openai, service):
        chunks = await ask(openai)
    assert text_of(chunks) == compose("OpenAI", "why?", [], sources=False).text
    assert len([chunk for chunk in chunks if chunk.text]) > 5
    assert next(chunk.usage for chunk in chunks if chunk.usage).output_tokens > 0
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == [FinishReason.STOP]
    (body,) = service.requests
    assert body["safety_identifier"] == "abc"
    assert body["reasoning_effort"] == "low"
    assert body["max_completion_tokens"] == 500
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


async def test_perplexity_streams_with_its_sources_and_gets_alternating_turns(authority: Authority) -> None:
    before = (Turn(Role.ASSISTANT, "left over"), Turn(Role.USER, "one"), Turn(Role.USER, "two"))
    async with provider(authority, ProviderName.PERPLEXITY) as (perplexity, service):
        chunks = await ask(perplexity, question("why?", *before))
    cited = [chunk.citations for chunk in chunks if chunk.citations][-1]
    assert all(citation.url.startswith("https://") and citation.title for citation in cited)
    assert f"[{len(cited)}]" in text_of(chunks)
    assert [message["role"] for message in service.requests[0]["messages"]] == ["system", "user"]
    assert service.requests[0]["messages"][1]["content"] == "one\n\ntwo\n\nwhy?"
    assert "safety_identifier" not in service.requests[0]


@pytest.mark.parametrize(
    ("fault", "error", "retry"),
    [
        (Fault.wrong_key(), errors.AuthenticationFailed, False),
        (Fault.quota(), errors.QuotaExhausted, False),
        (Fault.rate_limited(7), errors.RateLimited, True),
        (Fault(Kind.STATUS, status=500), errors.Overloaded, True),
        (Fault(Kind.STATUS, status=503), errors.Overloaded, True),
        (Fault(Kind.STATUS, status=400, code="context_length_exceeded"), errors.BadRequest, False),
        (Fault(Kind.CUT, after=5), errors.ConnectionLost, True),
        (Fault(Kind.ABORT, after=5), errors.ConnectionLost, True),
        (Fault(Kind.END, after=5), errors.ConnectionLost, True),
        (Fault(Kind.HALF_CHARACTER, after=5), errors.ConnectionLost, True),
        (Fault(Kind.EVENT, after=5), errors.Overloaded, True),
    ],
)
async def test_each_failure_has_its_name_and_tells_no_secrets(
    authority: Authority, fault: Fault, error: type[errors.ProviderError], retry: bool
) -> None:
    async with provider(authority) as (openai, service):
        service.misbehave(fault)
        with pytest.raises(error) as caught:
            await ask(openai)
    assert type(caught.value) is error
    assert caught.value.safe_to_retry is retry
    assert "OpenAI" in caught.value.for_person
    for words in ("sandbox-key", "why", "secret words"):
        assert words not in caught.value.for_log
    if isinstance(caught.value, errors.RateLimited):
        assert caught.value.retry_after == 7


async def test_what_came_before_a_cut_is_kept(authority: Authority) -> None:
    async with provider(authority) as (openai, service):
        service.misbehave(Fault(Kind.CUT, after=5))
        seen: list[Chunk] = []
        with pytest.raises(errors.ConnectionLost):
            await ask(openai, into=seen)
    assert text_of(seen) == "".join(compose("OpenAI", "why?", [], sources=False).pieces[:5])


async def test_who_may_not_stream_is_asked_without(authority: Authority) -> None:
    async with provider(authority) as (openai, service):
        service.misbehave(Fault.no_streaming())
        chunks = await ask(openai)
    assert text_of(chunks) == compose("OpenAI", "why?", [], sources=False).text
    assert "stream" not in service.requests[-1]


async def test_what_the_headers_say_of_the_limits_comes_before_the_text(authority: Authority) -> None:
    async with provider(authority) as (openai, _):
        chunks = await ask(openai)
    assert chunks[0].limits is not None
    assert chunks[0].limits.requests is not None
    assert not any(chunk.limits for chunk in chunks[1:])


async def test_a_call_for_the_web_is_told_once_with_its_query_and_its_usage(authority: Authority) -> None:
    async with provider(authority) as (asked, service):
        chunks = await ask(asked, replace(question("what is new today?"), tools=(WEB_SEARCH,)))
        assert [chunk.tool_call for chunk in chunks if chunk.tool_call] == [
            ToolCall(WEB_SEARCH.name, "sandbox search: what is new today?")
        ]
        assert text_of(chunks) == ""
        assert any(chunk.usage for chunk in chunks)
        assert service.requests[0]["tools"][0]["function"]["name"] == WEB_SEARCH.name
        assert text_of(await ask(asked, replace(question(), tools=(WEB_SEARCH,))))


async def test_an_endpoint_that_refuses_tools_says_so(authority: Authority) -> None:
    async with provider(authority) as (asked, service):
        service.misbehave(Fault.no_tools())
        with pytest.raises(errors.ToolsRefused):
            await ask(asked, replace(question(), tools=(WEB_SEARCH,)))


async def test_leaving_early_makes_the_provider_stop(authority: Authority) -> None:
    async with provider(authority) as (openai, service):
        service.misbehave(Fault(Kind.STALL, after=3))
        async with openai.stream(replace(question(), model="gpt-5-mini")) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    break
            assert service.in_flight == 1
        with trio.move_on_after(1):
            while service.in_flight:  # noqa: ASYNC110  # the sandbox has no event for it
                await trio.sleep(0.01)
    assert service.in_flight == 0


@pytest.mark.parametrize(
    ("changed", "after"), [({"first_token_timeout": 0.2}, 0), ({"read_timeout": 0.2}, 3)]
)
async def test_silence_has_an_end_before_the_first_token_and_after_it(
    authority: Authority, changed: dict[str, Any], after: int
) -> None:
    async with provider(authority, **changed) as (openai, service):
        service.misbehave(Fault(Kind.STALL, after=after))
        began = trio.current_time()
        with pytest.raises(errors.TimedOut):
            await ask(openai)
        assert 0.2 <= trio.current_time() - began < 2


async def test_a_provider_that_is_not_there_is_a_lost_connection(authority: Authority) -> None:
    async with httpx.AsyncClient() as client:
        nobody = make_provider(client, options(ProviderName.OPENAI, "https://127.0.0.1:1"))
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

    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [("content-type", "text/event-stream")])
        for piece in AWKWARD:
            await exchange.send(piece)
        await exchange.finish()

    async with (
        open_server(handler, authority=authority) as server,
        httpx.AsyncClient(http2=True, verify=authority.client_context()) as client,
    ):
        chunks = await ask(make_provider(client, options(ProviderName.OPENAI, server.url)))
    assert text_of(chunks) == "first\u2028\u0085é😀"
