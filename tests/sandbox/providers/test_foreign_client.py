"""The official client takes the sandbox's service for OpenAI's."""

import httpx
import openai
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, ServiceOptions, open_providers
from discordianai.sandbox.providers.answers import compose

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0)


def ask(url: str, authority: Authority, **options: object) -> openai.OpenAI:
    client = openai.DefaultHttpxClient(verify=authority.client_context())
    return openai.OpenAI(base_url=url, api_key="sandbox-key", http_client=client, max_retries=0)


async def test_it_streams_an_answer_with_usage(authority: Authority) -> None:
    async with open_providers(authority, FAST) as (service, _):

        def stream() -> tuple[str, int, list[str]]:
            with ask(service.url, authority) as client:
                chunks = list(
                    client.chat.completions.create(
                        model="gpt-5-mini",
                        messages=[{"role": "user", "content": "why?"}],
                        stream=True,
                        stream_options={"include_usage": True},
                    )
                )
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            usage = next(chunk.usage for chunk in chunks if chunk.usage)
            reasons = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
            return text, usage.completion_tokens, [str(reason) for reason in reasons]

        text, tokens, reasons = await trio.to_thread.run_sync(stream)
    assert text == compose("OpenAI", "why?", [], sources=False).text
    assert tokens > 0
    assert reasons == ["stop"]


async def test_it_answers_whole_and_lists_its_models(authority: Authority) -> None:
    async with open_providers(authority, FAST) as (service, _):

        def whole() -> tuple[str | None, list[str]]:
            with ask(service.url, authority) as client:
                answer = client.chat.completions.create(
                    model="gpt-5-mini", messages=[{"role": "user", "content": "why?"}]
                )
                return answer.choices[0].message.content, [model.id for model in client.models.list()]

        text, models = await trio.to_thread.run_sync(whole)
    assert text == compose("OpenAI", "why?", [], sources=False).text
    assert "gpt-5-mini" in models


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.rate_limited(1), openai.RateLimitError),
        (Fault.quota(), openai.RateLimitError),
        (Fault.wrong_key(), openai.AuthenticationError),
        (Fault.no_streaming(), openai.BadRequestError),
    ],
)
async def test_its_errors_are_the_ones_that_the_client_knows(
    authority: Authority, fault: Fault, error: type[openai.APIStatusError]
) -> None:
    async with open_providers(authority, FAST) as (service, _):
        service.misbehave(fault)

        def fail() -> openai.APIStatusError:
            with ask(service.url, authority) as client, pytest.raises(error) as caught:
                client.chat.completions.create(
                    model="gpt-5-mini", messages=[{"role": "user", "content": "why?"}]
                )
            return caught.value

        caught = await trio.to_thread.run_sync(fail)
    assert caught.code == fault.code


async def test_over_its_budget_it_refuses_with_a_wait(authority: Authority) -> None:
    options = ServiceOptions(first_token=0.0, between_tokens=0.0, requests_per_minute=2)
    async with open_providers(authority, options) as (service, _):
        headers = {"authorization": "Bearer sandbox-key"}
        body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "why?"}]}
        async with httpx.AsyncClient(verify=authority.client_context(), headers=headers) as client:
            answers = [await client.post(f"{service.url}/chat/completions", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 55 < float(answers[2].headers["retry-after"]) <= 60
    assert answers[1].headers["x-ratelimit-remaining-requests"] == "0"
