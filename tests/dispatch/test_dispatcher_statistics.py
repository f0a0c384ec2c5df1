"""What a dispatcher tells of its requests: each is counted once, by what became of it."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.dispatcher_statistics import MINUTES, MOST_MODELS, OTHER_MODELS, RequestOutcome
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import QueueFull
from discordianai.option import Live
from discordianai.providers.errors import (
    AuthenticationFailed,
    ConnectionLost,
    EndpointNotFound,
    MalformedAnswer,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    ToolsRefused,
)
from discordianai.providers.port import Event
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.provider import FakeProvider, Step
from tests.known_providers import OPENAI

REQUEST = ChatRequest("gpt", (Turn(Role.USER, "why?"),), person="ann")


def dispatcher(*scripts: Sequence[Step], slots: int = 10, queue_size: int = 200) -> Dispatcher:
    options = DispatcherOptions(slots=slots, dispatch=DispatchOptions(queue_size, max_attempts=1))
    return Dispatcher(FakeProvider(*scripts), Live(options))


async def ask(asked: Dispatcher, request: ChatRequest = REQUEST, seconds: float = 300.0) -> None:
    with suppress(ProviderError):
        async with asked.stream(request, trio.current_time() + seconds) as chunks:
            async for _ in chunks:
                pass


ENDS: list[tuple[list[Step], RequestOutcome]] = [
    (["text"], RequestOutcome.ANSWERED),
    (["text", ConnectionLost(OPENAI, "cut")], RequestOutcome.CUT),
    (["text", 1000.0], RequestOutcome.CUT),
    ([RateLimited(OPENAI, "429")], RequestOutcome.RATE_LIMITED),
    ([Overloaded(OPENAI, "503")], RequestOutcome.OVERLOADED),
    ([TimedOut(OPENAI, "first")], RequestOutcome.TIMED_OUT),
    ([1000.0], RequestOutcome.TIMED_OUT),
    ([ConnectionLost(OPENAI, "reset")], RequestOutcome.CONNECTION_LOST),
    ([AuthenticationFailed(OPENAI, "401")], RequestOutcome.AUTHENTICATION),
    ([QuotaExhausted(OPENAI, "429")], RequestOutcome.QUOTA),
    ([ToolsRefused(OPENAI, "400")], RequestOutcome.BAD_REQUEST),
    ([ModelNotFound(OPENAI, "404")], RequestOutcome.MODEL_NOT_FOUND),
    ([PermissionDenied(OPENAI, "403")], RequestOutcome.PERMISSION),
    ([EndpointNotFound(OPENAI, "404")], RequestOutcome.ENDPOINT_NOT_FOUND),
    ([MalformedAnswer(OPENAI, "not JSON")], RequestOutcome.MALFORMED),
    ([ProviderError(OPENAI, "?")], RequestOutcome.FAILED),
]


@pytest.mark.parametrize(("script", "outcome"), ENDS, ids=[f"{o}-{n}" for n, (_, o) in enumerate(ENDS)])
async def test_a_request_is_counted_once_by_its_end(
    autojump_clock: MockClock, script: list[Step], outcome: RequestOutcome
) -> None:
    asked = dispatcher(script)
    await ask(asked, seconds=50.0)
    figures = asked.statistics()
    assert figures.models["gpt"].outcomes == {outcome: 1}
    assert figures.requests == 1
    assert figures.rate_limited == (outcome is RequestOutcome.RATE_LIMITED)


async def test_who_leaves_has_stopped_it(autojump_clock: MockClock) -> None:
    asked = dispatcher(["text", 100.0])
    async with asked.stream(REQUEST) as chunks:
        await anext(chunks)
    with trio.move_on_after(5):
        await ask(asked)
    assert asked.statistics().models["gpt"].outcomes == {RequestOutcome.STOPPED: 2}


async def test_a_bug_is_told_from_a_provider_that_fails() -> None:
    class Broken:
        provider, model = OPENAI, "fake"

        def stream(
            self, request: ChatRequest, deadline: float = math.inf
        ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
            raise ZeroDivisionError

    asked = Dispatcher(Broken(), Live(DispatcherOptions(slots=1)))
    with pytest.raises(ZeroDivisionError):
        await ask(asked)
    assert asked.statistics().models["gpt"].outcomes == {RequestOutcome.FAILED: 1}


async def test_tokens_are_counted_by_model_as_the_provider_counts_them(autojump_clock: MockClock) -> None:
    asked = dispatcher(["text"])  # of which it says that it took 10 and 20
    await ask(asked)
    await ask(asked)
    await ask(asked, replace(REQUEST, model="other"))
    models = asked.statistics().models
    assert (models["gpt"].input_tokens, models["gpt"].output_tokens) == (20, 40)
    assert models["other"].outcomes == {RequestOutcome.ANSWERED: 1}


async def test_names_of_models_without_end_do_not_stay_in_memory() -> None:
    asked = dispatcher(["text"])
    for number in range(MOST_MODELS + 20):
        await ask(asked, replace(REQUEST, model=f"model {number}"))
    models = asked.statistics().models
    assert len(models) == MOST_MODELS + 1
    assert models[OTHER_MODELS].outcomes == {RequestOutcome.ANSWERED: 20}


async def test_times_in_the_line_and_to_both_ends_are_told_apart(autojump_clock: MockClock) -> None:
    asked = dispatcher([2.0, "text", 4.0, "more"], slots=1)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(ask, asked)
    figures = asked.statistics()
    assert (figures.waited.longest, figures.first_chunk.longest, figures.last_chunk.longest) == (
        6.0,
        2.0,
        6.0,
    )
    assert (figures.waited.count, figures.last_chunk.seconds) == (2, 12.0)


async def test_the_most_at_once_is_remembered_for_some_minutes(autojump_clock: MockClock) -> None:
    asked = dispatcher([1.0, "text"])
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask, asked)
    await trio.sleep(60)
    await ask(asked)
    assert (asked.statistics().in_flight, asked.statistics().busiest) == (0, 4)
    await trio.sleep(60 * (MINUTES - 1))
    assert asked.statistics().busiest == 1
    await trio.sleep(60)
    assert asked.statistics().busiest == 0


async def test_refusals_of_a_full_queue_are_told_from_those_of_the_breaker(autojump_clock: MockClock) -> None:
    asked = dispatcher([Overloaded(OPENAI, "503")])
    for _ in range(12):
        await ask(asked)
    assert (asked.statistics().refused, asked.statistics().queue_full) == (2, 0)
    full = dispatcher([50.0, "text"], slots=1, queue_size=1)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(ask, full)
        await trio.sleep(1)
        with pytest.raises(QueueFull):
            async with full.stream(REQUEST) as chunks:
                await anext(chunks)
    assert (full.statistics().refused, full.statistics().queue_full) == (1, 1)


async def test_a_breaker_that_may_probe_is_not_told_to_be_open(autojump_clock: MockClock) -> None:
    asked = dispatcher([Overloaded(OPENAI, "503")])
    for _ in range(10):
        await ask(asked)
    assert asked.statistics().breaker == "open"
    await trio.sleep(15)
    assert asked.statistics().breaker == "half open"


async def test_limits_are_those_of_the_budget() -> None:
    options = DispatcherOptions(slots=1, budget=BudgetOptions(requests_per_minute=50))
    figures = Dispatcher(FakeProvider(["text"]), Live(options)).statistics()
    assert (figures.requests_limit, figures.tokens_limit) == (50, float("inf"))
