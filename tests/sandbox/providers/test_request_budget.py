"""Budgets are enforced exactly, and told as each service tells them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ProviderService, Rate, ServiceOptions, open_providers
from discordianai.sandbox.providers.request_budget import RequestBudget, duration
from tests.sandbox.providers.clients import FAST

OPENAI = {"model": "gpt-6-luna", "input": "why?"}
PERPLEXITY = {"preset": "fast", "input": "why?"}


async def answers(
    service: ProviderService, authority: Authority, path: str, bodies: Sequence[Mapping[str, object]]
) -> list[httpx.Response]:
    """One after the other."""
    assert service.server is not None
    headers = {"authorization": f"Bearer {service.options.api_key}"}
    async with httpx.AsyncClient(verify=authority.client_context(), headers=headers, timeout=60) as client:
        return [await client.post(service.server.url + path, json=body) for body in bodies]


async def test_openai_refuses_above_its_minute_with_a_wait(authority: Authority) -> None:
    """Two requests a minute: the third has to wait for the first to be a minute old."""
    async with open_providers(authority, replace(FAST, requests_per_minute=2)) as services:
        got = await answers(services.openai, authority, "/v1/responses", [OPENAI] * 3)
        assert services.openai.rate_limited == 1
        assert services.openai.rejected == []
        assert len(services.openai.requests) == 3
    assert [answer.status_code for answer in got] == [200, 200, 429]
    assert 30 < float(got[2].headers["retry-after"]) <= 60
    assert 30_000 < int(got[2].headers["retry-after-ms"]) <= 60_000
    assert got[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert got[1].headers["x-ratelimit-limit-requests"] == "2"
    assert got[1].headers["x-ratelimit-remaining-requests"] == "0"
    assert got[1].headers["x-ratelimit-reset-requests"] == "1m0s"


async def test_openai_counts_tokens(authority: Authority) -> None:
    """Two questions of about 250 tokens fit into 600, a third does not."""
    body = {"model": "gpt-6-luna", "input": "a" * 1000}
    async with open_providers(authority, replace(FAST, tokens_per_minute=600)) as services:
        got = await answers(services.openai, authority, "/v1/responses", [body] * 3)
    assert [answer.status_code for answer in got] == [200, 200, 429]
    assert 0 < int(got[1].headers["x-ratelimit-remaining-tokens"]) < 250


async def test_perplexity_allows_one_request_a_second_and_says_so_without_suffixes(
    authority: Authority,
) -> None:
    """The reset is the next whole second of its clock, by which a request is allowed again."""
    options = ServiceOptions(first_token=0.0, between_tokens=0.0)
    async with open_providers(authority, options) as services:
        await trio.sleep(1.02 - time.time() % 1)  # both requests in one second
        first, second = await answers(services.perplexity, authority, "/v1/agent", [PERPLEXITY] * 2)
        assert services.perplexity.rate_limited == 1
        assert services.perplexity.rejected == []
        assert (first.status_code, second.status_code) == (200, 429)
        assert second.json()["error"] == {
            "message": "Request rate limit exceeded, please try again later.",
            "type": "request_rate_limit_exceeded",
            "code": 429,
        }
        told = {name: value for name, value in first.headers.items() if name.startswith("x-ratelimit")}
        reset = int(told.pop("x-ratelimit-reset"))
        limits = {"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-used": "1"}
        assert told == limits
        assert 0 < reset - time.time() <= 1
        assert "retry-after" not in second.headers
        await trio.sleep(max(0, reset - time.time()) + 0.01)
        (third,) = await answers(services.perplexity, authority, "/v1/agent", [PERPLEXITY])
        assert third.status_code == 200


async def test_perplexitys_minute_holds_beside_its_second(authority: Authority) -> None:
    """A rate of two a minute, with room in each second."""
    options = replace(FAST, perplexity_rates=(Rate(100, 1.0, aligned=True), Rate(2)))
    async with open_providers(authority, options) as services:
        got = await answers(services.perplexity, authority, "/v1/agent", [PERPLEXITY] * 3)
    assert [answer.status_code for answer in got] == [200, 200, 429]


async def test_the_foreign_service_has_no_limits_unless_it_is_given_some(authority: Authority) -> None:
    """And no headers about them."""
    body = {"model": "local-model", "messages": [{"role": "user", "content": "why?"}]}
    async with open_providers(authority, replace(FAST, foreign_rates=(Rate(1),))) as services:
        got = await answers(services.foreign, authority, "/v1/chat/completions", [body] * 2)
    assert [answer.status_code for answer in got] == [200, 429]
    assert not [name for name in got[0].headers if name.startswith("x-ratelimit")]


def test_a_sliding_window_frees_its_places_one_by_one() -> None:
    """The wait is that of the oldest request that has to leave."""
    budget = RequestBudget()
    rate = Rate(2, 0.2)
    budget.admit(1)
    time.sleep(0.1)
    budget.admit(1)
    wait = budget.delay((rate,), None, 1)
    assert 0 < wait <= 0.1
    time.sleep(wait + 0.001)
    assert budget.delay((rate,), None, 1) == 0
    budget.admit(1)
    assert budget.delay((rate,), None, 1) > 0


def test_durations_are_written_as_openai_writes_them() -> None:
    """Milliseconds below a second, minutes with seconds."""
    assert [duration(seconds) for seconds in (0.12, 1, 360, 61)] == ["120ms", "1s", "6m0s", "1m1s"]
