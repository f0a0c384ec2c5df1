"""At twice the permitted load, on a clock that jumps: no 429, and hardly anything of the budget unused."""

import random
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.options import DispatchOptions
from discordianai.option import Live
from discordianai.providers.errors import ProviderError
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.metered_provider import ANSWER_TOKENS, QUESTION_TOKENS, MeteredProvider

MINUTES = 6
"""docs/benchmarks.md has the figures of an hour."""


@pytest.mark.parametrize(
    ("requests", "tokens"), [(60, 10**9), (500, 100_000)], ids=["bound by requests", "bound by tokens"]
)
@pytest.mark.parametrize("people", [10, pytest.param(1000, marks=pytest.mark.slow)])
async def test_the_binding_budget_is_used_and_never_exceeded(
    autojump_clock: MockClock, requests: int, tokens: int, people: int
) -> None:
    chance = random.Random(people)
    provider = MeteredProvider(random.Random(1), requests=requests, tokens=tokens, spread=0.2)
    options = DispatcherOptions(
        slots=50, dispatch=DispatchOptions(queue_size=20), budget=BudgetOptions(requests, tokens)
    )
    dispatcher = Dispatcher(provider, Live(options), random.Random(2))
    permitted = min(requests, tokens / (QUESTION_TOKENS + ANSWER_TOKENS))

    async def ask(person: str) -> None:
        question = ChatRequest("metered", (Turn(Role.USER, "why is it so?"),), person=person)
        with suppress(ProviderError):
            async with dispatcher.stream(question) as chunks:
                async for _ in chunks:
                    pass

    async with trio.open_nursery() as nursery:
        while trio.current_time() < 60 * MINUTES:
            await trio.sleep(chance.expovariate(2 * permitted / 60))
            nursery.start_soon(ask, str(chance.randrange(people)))
        nursery.cancel_scope.cancel()
    assert provider.refused == 0
    used = max(provider.admitted / requests, provider.charged / tokens) / MINUTES
    assert 0.95 < used < 1.05  # the last minute's budget may be used at once
