"""A provider that asks for a long pause, over real sockets: nobody waits for it, and it is tried again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import trio
from pydantic import SecretStr
from trio.testing import MockClock

from discordianai.answering.provider_chain import ChainRequest, ProviderChain
from discordianai.dispatch.breaker import BreakerOptions, BreakerReason, BreakerState
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions, QueuePosition
from discordianai.dispatch.routing import Inquiry, Router
from discordianai.option import Live
from discordianai.providers.client import make_provider
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import TextDelta
from discordianai.records import ChatRequest, Provider, Role, Route, Turn, Usage
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, ServiceOptions, open_providers
from discordianai.sandbox.providers.provider_service import ProviderService
from discordianai.transport import MultiplexedTransport
from tests.known_providers import OPENAI, PERPLEXITY

FAST = ServiceOptions(first_token=0.0, between_tokens=0.0, perplexity_rates=())
NORMAL = 20.0
"""Seconds within which a provider on this machine answers, however busy that is: far below any pause here."""


@dataclass
class Chain:
    chain: ProviderChain
    openai: Dispatcher
    service: ProviderService

    async def ask(self) -> Provider:
        """Who answered."""
        last: Provider | None = None
        text = ""
        inquiry = Inquiry("why?", (), "a conversation")
        asked = ChainRequest(inquiry, request, reserve, trio.current_time() + 300, 1)
        async for event in self.chain.events(asked):
            assert not isinstance(event, QueuePosition)
            match event:
                case Route(provider):
                    last = provider
                case TextDelta(words):
                    text += words
        assert text
        assert last is not None
        return last


def request(provider: Provider, model: str) -> ChatRequest:
    return ChatRequest(model, (Turn(Role.USER, "why?"),), person="ann")


async def reserve(provider: Provider, model: str, most: Usage) -> None:
    """There is no limit."""


@asynccontextmanager
async def chain(authority: Authority) -> AsyncIterator[Chain]:
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with open_providers(authority, FAST) as services, httpx.AsyncClient(transport=transport) as client:
        options = Live(DispatcherOptions(slots=10))
        dispatchers = {}
        for who, model in ((OPENAI, "gpt-6-luna"), (PERPLEXITY, "fast")):
            url = getattr(services, who.name).url
            settings = ProviderOptions(
                base_url=url, api_key=SecretStr("sandbox-key"), model=model, read_timeout=5.0
            )
            provider = make_provider(client, who, settings)
            dispatchers[who.name] = Dispatcher(provider, options)
        router = Router([OPENAI, PERPLEXITY])
        yield Chain(ProviderChain(dispatchers, router), dispatchers["openai"], services.openai)


async def test_an_hours_pause_costs_nobody_more_than_a_round_trip_and_ends_when_the_provider_is_well(
    authority: Authority, mock_clock: MockClock
) -> None:
    """OpenAI refuses once, and is asked again by one probe, which it answers. The clock jumps once."""
    mock_clock.rate = 1.0
    async with chain(authority) as asked:
        assert await asked.ask() == OPENAI
        asked.service.misbehave(Fault.rate_limited(3600))
        for _ in range(3):
            with trio.fail_after(NORMAL):
                assert await asked.ask() == PERPLEXITY
        assert len(asked.service.requests) == 2
        figures = asked.openai.statistics()
        assert (figures.breaker, figures.breaker_reason) == (BreakerState.OPEN, BreakerReason.RATE_LIMITED)
        assert figures.pause > 3500
        mock_clock.jump(BreakerOptions().longest_pause)
        assert await asked.ask() == OPENAI
        assert asked.openai.statistics().breaker is BreakerState.CLOSED
        assert asked.openai.statistics().pause == 0
