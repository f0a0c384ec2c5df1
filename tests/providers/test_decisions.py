"""A decision of OpenAI's about the web, over a real socket, and what may come in its place."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from discordianai.providers.decisions import LONGEST_TURN, DecisionClient, WebDecision
from discordianai.providers.errors import EndpointNotFound, MalformedAnswer, RateLimited
from discordianai.providers.options import ProviderOptions
from discordianai.records import ChatRequest, Role, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, ProviderService, ServiceOptions, open_providers
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.transport import MultiplexedTransport
from tests.known_providers import FOREIGN, OPENAI

HISTORY = (Turn(Role.USER, "hello"), Turn(Role.ASSISTANT, "hi"))


@asynccontextmanager
async def deciding(
    authority: Authority, name: str = "openai"
) -> AsyncIterator[tuple[DecisionClient, ProviderService]]:
    async with (
        open_providers(authority, ServiceOptions(first_token=0.0)) as services,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        service: ProviderService = getattr(services, name)
        options = ProviderOptions(
            base_url=service.url, api_key=SecretStr("sandbox-key"), model="gpt-6-luna", read_timeout=5.0
        )
        yield DecisionClient(client, OPENAI if name == "openai" else FOREIGN, options), service


def asked(text: str) -> ChatRequest:
    return ChatRequest("gpt-6-luna", (*HISTORY, Turn(Role.USER, text)), person="p", conversation="c")


async def test_a_question_is_decided_with_what_it_follows_up_on(authority: Authority) -> None:
    """The newest turns, each within a bound; what it took is told."""
    async with deciding(authority) as (client, service):
        for text, probability in (("the weather?", 0.91), ("what is a monad?", 0.04)):
            decision = await client.decide(asked(text))
            assert decision.probability == probability
            assert decision.usage is not None
            assert decision.usage.input_tokens > 50
        await client.decide(asked("x" * 10 * LONGEST_TURN))
        assert service.rejected == []
        sent = service.requests[-1]["input"]
    assert [turn["role"] for turn in sent] == ["user", "assistant", "user"]
    assert len(sent[-1]["content"]) == LONGEST_TURN


async def test_a_refusal_has_the_name_that_it_has_elsewhere(authority: Authority) -> None:
    """An endpoint without decisions is told apart from one that is busy."""
    async with deciding(authority) as (client, service):
        service.misbehave(Fault.rate_limited(7))
        with pytest.raises(RateLimited) as caught:
            await client.decide(asked("why?"))
        assert caught.value.retry_after == 7
    async with deciding(authority, "foreign") as (client, _):
        with pytest.raises(EndpointNotFound):
            await client.decide(asked("why?"))


def whole(body: object) -> Fault:
    """This answer instead of the sandbox's."""
    content = json.dumps(body).encode()
    return Fault(FaultKind.RAW, status=200, body=content, content_type="application/json")


@pytest.mark.parametrize(
    "answers",
    [
        None,
        [],
        [{"type": "refusal", "name": "web"}],
        [{"name": "web", "probability": True}],
        [{"name": "web", "probability": "0.9"}],
        [{"name": "web", "probability": 1.5}],
        [{"name": "web", "probability": -1}],
        [{"name": "other", "probability": 0.5}],
    ],
)
async def test_what_is_no_probability_is_no_decision(authority: Authority, answers: object) -> None:
    """Nothing is guessed from it."""
    async with deciding(authority) as (client, service):
        service.misbehave(whole({"answers": answers}))
        with pytest.raises(MalformedAnswer):
            await client.decide(asked("why?"))


async def test_a_decision_without_a_usage_is_one_all_the_same(authority: Authority) -> None:
    """What it took is not told then."""
    async with deciding(authority) as (client, service):
        service.misbehave(whole({"answers": [{"type": "predicate", "name": "web", "probability": 1}]}))
        assert await client.decide(asked("why?")) == WebDecision(1.0)
