"""The official client takes the foreign service for a compatible one, and so OpenAI's chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ProviderService, open_providers
from discordianai.sandbox.providers.scripted_answers import compose
from tests.sandbox.providers.clients import FAST, checked, with_openai

if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

pytestmark = pytest.mark.xdist_group("official clients")  # one worker imports them

MODELS = {"openai": "gpt-6-luna", "foreign": "local-vision"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

both = pytest.mark.parametrize("name", list(MODELS))


async def stream(authority: Authority, name: str, text: object, **body: object) -> list[ChatCompletionChunk]:
    """The chunks of one question, each checked against its type."""
    asked = {"model": MODELS[name], "messages": [{"role": "user", "content": text}], **body}
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)

        def use(client: openai.OpenAI) -> list[ChatCompletionChunk]:
            return list(client.chat.completions.create(stream=True, **asked))  # type: ignore[call-overload]  # any

        chunks = await with_openai(service, authority, use)
        assert service.rejected == []
    return [checked(chunk) for chunk in chunks]


@both
async def test_an_answer_streams_with_usage(authority: Authority, name: str) -> None:
    """Text, one finish_reason, then usage without choices."""
    chunks = await stream(authority, name, "why?", stream_options={"include_usage": True})
    label = {"openai": "OpenAI", "foreign": "Foreign"}[name]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == compose(label, "why?", [], sources=False).text
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert not chunks[-1].choices
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(text) // 4


async def test_the_foreign_service_calls_tools(authority: Authority) -> None:
    """The arguments come in pieces."""
    parameters = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    tool = {"type": "function", "function": {"name": "web_search", "parameters": parameters}}
    chunks = await stream(authority, "foreign", "the news today", tools=[tool], max_tokens=200)
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert calls[0].function is not None
    assert calls[0].function.name == "web_search"
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert arguments == '{"query": "sandbox search: the news today"}'
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_the_foreign_service_takes_pictures_and_either_limit(authority: Authority) -> None:
    """As objects with a url; `max_tokens` or `max_completion_tokens`."""
    parts = [{"type": "text", "text": "what is this?"}, PICTURE]
    for limit in ("max_tokens", "max_completion_tokens"):
        chunks = await stream(authority, "foreign", parts, **{limit: 10})
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert len(text) == 40
        assert chunks[-1].choices[0].finish_reason == "length"


@both
async def test_an_answer_comes_whole_too(authority: Authority, name: str) -> None:
    """Without a stream, one object."""
    async with open_providers(authority, FAST) as services:

        def use(client: openai.OpenAI) -> ChatCompletion:
            return client.chat.completions.create(
                model=MODELS[name], messages=[{"role": "user", "content": "why?"}]
            )

        answer = checked(await with_openai(getattr(services, name), authority, use))
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


async def test_the_foreign_service_lists_its_models(authority: Authority) -> None:
    """Both."""
    async with open_providers(authority, FAST) as services:
        models = await with_openai(
            services.foreign, authority, lambda client: [checked(model).id for model in client.models.list()]
        )
    assert models == ["local-model", "local-vision"]
