"""What stands between a question and a provider, on a clock that jumps."""

import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from discordianai.dispatch.breaker import BreakerOptions, BreakerState
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions, QueuePosition
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import BeyondTheMinute, BreakerOpen, DeadlinePassed, QueueFull
from discordianai.option import Live
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
)
from discordianai.providers.port import Event, TextDelta
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.provider import FakeProvider, Step
from tests.examples import examples
from tests.known_providers import OPENAI

NEVER_OPENS = BreakerOptions(minimum=10**6)


def request(person: str = "ann") -> ChatRequest:
    return ChatRequest("fake", (Turn(Role.USER, "why?"),), person=person)


def dispatcher(provider: FakeProvider, **options: object) -> Dispatcher:
    defaults = DispatcherOptions(slots=10, breaker=NEVER_OPENS)
    return Dispatcher(provider, Live(replace(defaults, **options)), random.Random(1))  # type: ignore[arg-type]  # by name


async def ask(asked: Dispatcher, person: str = "ann", seconds: float = 300.0) -> str:
    async with asked.stream(request(person), trio.current_time() + seconds) as chunks:
        return "".join([event.text async for event in chunks if isinstance(event, TextDelta)])


async def test_what_fails_before_any_text_is_asked_again(autojump_clock: MockClock) -> None:
    provider = FakeProvider([ConnectionLost(OPENAI, "reset")], [Overloaded(OPENAI, "503")], ["at last"])
    asked = dispatcher(provider)
    assert await ask(asked) == "at last"
    assert asked.statistics().retries == 2


@pytest.mark.parametrize("error", [AuthenticationFailed(OPENAI, "401"), BadRequest(OPENAI, "400")])
async def test_what_would_fail_again_is_not_asked_again(
    autojump_clock: MockClock, error: ProviderError
) -> None:
    provider = FakeProvider([error], ["never"])
    with pytest.raises(type(error)):
        await ask(dispatcher(provider))
    assert len(provider.requests) == 1


async def test_after_text_was_shown_nothing_is_repeated(autojump_clock: MockClock) -> None:
    provider = FakeProvider(["part", ConnectionLost(OPENAI, "cut")], ["never"])
    async with dispatcher(provider).stream(request()) as chunks:
        assert await anext(chunks) == TextDelta("part")
        with pytest.raises(ConnectionLost):
            await anext(chunks)
    assert len(provider.requests) == 1


async def test_a_provider_that_falls_silent_before_the_deadline_has_failed(autojump_clock: MockClock) -> None:
    """At the deadline it would be the question that has had too little time."""
    began = trio.current_time()
    provider = FakeProvider(["part", 5.0, TimedOut(OPENAI, "nothing came in time")])
    asked = dispatcher(provider)
    with pytest.raises(TimedOut, match="nothing came"):
        await ask(asked, "ann", 20.0)
    assert trio.current_time() < began + 20


async def test_a_wait_that_one_request_is_told_of_holds_all(autojump_clock: MockClock) -> None:
    provider = FakeProvider([RateLimited(OPENAI, "429", 30.0)], ["fine"])
    asked = dispatcher(provider)
    times = []

    async def one() -> None:
        await ask(asked)
        times.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await trio.sleep(1)
        nursery.start_soon(one)
    assert min(times) >= 30
    assert asked.statistics().limit == 5


async def test_the_deadline_covers_the_queue_the_retries_and_the_stream(autojump_clock: MockClock) -> None:
    scripts: list[list[Step]] = [["text", 1000.0], [1000.0, "text"]]
    for script in scripts:
        provider = FakeProvider(script)
        asked = dispatcher(provider, slots=1)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(expect, DeadlinePassed, asked, "ann", 20.0)
        assert trio.current_time() - began == pytest.approx(20.0)
        assert provider.in_flight == 0
        assert asked.statistics().in_flight == 0


async def expect(error: type[ProviderError], asked: Dispatcher, person: str, seconds: float) -> None:
    with pytest.raises(error):
        await ask(asked, person, seconds)


async def test_a_full_queue_refuses_the_newest_of_who_has_most_in_it(autojump_clock: MockClock) -> None:
    asked = dispatcher(FakeProvider([5.0, "text"]), slots=1, dispatch=DispatchOptions(queue_size=3))
    refused: list[str] = []

    async def one(person: str) -> None:
        try:
            await ask(asked, person)
        except QueueFull:
            refused.append(person)

    async with trio.open_nursery() as nursery:
        for person in ("x", "greedy", "greedy", "ann", "ben"):
            nursery.start_soon(one, person)
            await trio.sleep(0.01)
    assert refused == ["greedy"]


async def test_who_was_served_least_goes_first(autojump_clock: MockClock) -> None:
    provider = FakeProvider([1.0, "text"])
    asked = dispatcher(provider, slots=1)
    async with trio.open_nursery() as nursery:
        for person in ("greedy", "greedy", "greedy", "modest"):
            nursery.start_soon(ask, asked, person)
            await trio.sleep(0.01)
    assert [sent.person for sent in provider.requests] == ["greedy", "modest", "greedy", "greedy"]


async def test_a_burst_within_the_budget_passes_at_once_and_the_rest_waits(
    autojump_clock: MockClock,
) -> None:
    provider = FakeProvider(["text"])
    asked = dispatcher(provider, slots=100, budget=BudgetOptions(requests_per_minute=20))
    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(ask, asked, f"person {number}")
        await trio.sleep(1)
        assert len(provider.requests) == 20
        assert asked.statistics().waiting == 10
    assert len(provider.requests) == 30
    assert trio.current_time() == pytest.approx(60.2)


async def test_who_waits_in_the_queue_is_told_where_and_then_again(autojump_clock: MockClock) -> None:
    asked = dispatcher(FakeProvider([6.0, "text"]), slots=1)
    told: list[tuple[float, int | None]] = []

    async def watch() -> None:
        async with asked.stream(request("ben")) as chunks:
            places = (event.number async for event in chunks if isinstance(event, QueuePosition))
            told.extend([(trio.current_time(), place) async for place in places])

    async with trio.open_nursery() as nursery:
        for person in ("ann", "cid"):
            nursery.start_soon(ask, asked, person)
            await trio.sleep(0.01)
        nursery.start_soon(watch)
    assert [place for _, place in told] == [2, 1]
    assert [at for at, _ in told] == [pytest.approx(2.02), pytest.approx(7.02)]


async def test_what_the_provider_was_not_asked_costs_nothing_and_what_it_was_costs_what_was_expected(
    autojump_clock: MockClock,
) -> None:
    budget = BudgetOptions(requests_per_minute=10, tokens_per_minute=10_000)
    asked = dispatcher(FakeProvider([1.0, "text", 100.0]), slots=1, budget=budget)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, asked, "ann", 5.0)
        nursery.start_soon(ask, asked, "ben")
        await trio.sleep(3)
        assert asked.statistics().waiting == 1
        nursery.cancel_scope.cancel()
    figures = asked.statistics()
    assert figures.requests_left == 9
    # A guess of 500 for the answer and some for the question, without what was reserved on top for safety.
    assert 500 < 10_000 - figures.tokens_left < 530


async def test_a_refused_request_costs_no_tokens(autojump_clock: MockClock) -> None:
    budget = BudgetOptions(tokens_per_minute=10_000)
    asked = dispatcher(
        FakeProvider([RateLimited(OPENAI, "429")]), budget=budget, dispatch=DispatchOptions(max_attempts=1)
    )
    await expect(RateLimited, asked, "ann", 5.0)
    assert asked.statistics().tokens_left == 10_000


class Broken(FakeProvider):
    """Gives text that nobody can add up: what looks at it at the end meets a bug."""

    broken = True

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event]]:
        async def events() -> AsyncIterator[Event]:
            yield TextDelta(["a", "list"])  # type: ignore[arg-type]  # that is the bug

        async with super().stream(request, deadline) as stream:
            yield events() if self.broken else stream


async def test_a_probe_that_meets_a_bug_at_its_end_is_followed_by_another(autojump_clock: MockClock) -> None:
    """The breaker must not wait for ever for the outcome of a probe whose clean-up failed."""
    provider = Broken(*[[Overloaded(OPENAI, "503")]] * 10, ["well again"])
    provider.broken = False
    breaker, once = BreakerOptions(minimum=10, interval=15), DispatchOptions(max_attempts=1)
    asked = dispatcher(provider, breaker=breaker, dispatch=once)
    for _ in range(10):
        with suppress(ProviderError):
            await ask(asked)
    await trio.sleep(15)
    provider.broken = True
    with pytest.raises(TypeError):
        await ask(asked)
    provider.broken = False
    await trio.sleep(15)
    assert await ask(asked) == "well again"
    assert asked.statistics().breaker is BreakerState.CLOSED


async def test_a_bug_in_enqueueing_leaves_nobody_in_the_queue(autojump_clock: MockClock) -> None:
    """A place without an owner would be served in front of everybody, and never given up."""
    asked = dispatcher(FakeProvider(["an answer"]), budget=BudgetOptions(tokens_per_minute=1000))
    queue = asked._queue
    with pytest.raises(TypeError), queue.enqueue("ann", "many"):  # type: ignore[arg-type]  # that is the bug
        raise AssertionError("it has no place")
    assert len(queue) == 0
    assert await ask(asked) == "an answer"
    assert asked.statistics().in_flight == 0


async def test_what_takes_more_than_a_whole_minute_is_refused_and_fills_it_for_nobody(
    autojump_clock: MockClock,
) -> None:
    """Waiting for an empty minute would stop everybody again and again."""
    provider = FakeProvider(["an answer"])
    asked = dispatcher(provider, budget=BudgetOptions(tokens_per_minute=2000))
    long = replace(request(), turns=(Turn(Role.USER, "word " * 2000),))
    async with asked.stream(long) as chunks:
        with pytest.raises(BeyondTheMinute, match="of 2000 a minute") as refused:
            await anext(chunks)
    assert "2,000 a minute" in refused.value.for_person
    assert provider.requests == []
    before = trio.current_time()
    assert await ask(asked) == "an answer"
    assert trio.current_time() == before


async def test_an_open_breaker_refuses_at_once_and_a_probe_closes_it(autojump_clock: MockClock) -> None:
    failing: list[list[Step]] = [[Overloaded(OPENAI, "503")]] * 4
    asked = dispatcher(
        FakeProvider(*failing, ["well again"]),
        breaker=BreakerOptions(minimum=4, interval=15.0),
        dispatch=DispatchOptions(max_attempts=1),
    )
    for _ in range(4):
        await expect(Overloaded, asked, "ann", 10.0)
    with pytest.raises(BreakerOpen) as caught:
        await ask(asked)
    assert "15 seconds" in caught.value.for_person
    assert asked.statistics().breaker is BreakerState.OPEN
    await trio.sleep(15)
    assert await ask(asked) == "well again"
    assert asked.statistics().breaker is BreakerState.CLOSED


async def test_a_probe_whose_question_runs_out_of_time_closes_no_breaker(autojump_clock: MockClock) -> None:
    """It says nothing of the provider: the next one tries, an interval after the first."""
    failing: list[list[Step]] = [[Overloaded(OPENAI, "503")]] * 4
    asked = dispatcher(
        FakeProvider(*failing, [1000.0, "never"], ["well again"]),
        breaker=BreakerOptions(minimum=4, interval=15.0),
        dispatch=DispatchOptions(max_attempts=1),
    )
    for _ in range(4):
        await expect(Overloaded, asked, "ann", 10.0)
    await trio.sleep(15)
    await expect(DeadlinePassed, asked, "ann", 10.0)
    assert asked.statistics().breaker is BreakerState.HALF_OPEN
    with pytest.raises(BreakerOpen):
        await ask(asked)
    await trio.sleep(5)
    assert await ask(asked) == "well again"
    assert asked.statistics().breaker is BreakerState.CLOSED


outcomes = st.lists(
    st.tuples(
        st.sampled_from(["answer", "fail", "refuse", "cut", "slow"]),
        st.floats(0, 5),  # when it is asked
        st.floats(0.01, 8),  # when its person leaves
    ),
    max_size=25,
)


@given(outcomes)
@settings(
    deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_slots_and_budget_are_conserved_whatever_happens(
    autojump_clock: MockClock, script: list[tuple[str, float, float]]
) -> None:
    steps: dict[str, list[Step]] = {
        "answer": [0.5, "text"],
        "fail": [0.2, Overloaded(OPENAI, "503")],
        "refuse": [0.1, RateLimited(OPENAI, "429", 1.0)],
        "cut": ["text", 0.3, ConnectionLost(OPENAI, "cut")],
        "slow": [4.0, "text"],
    }
    provider = FakeProvider(*[steps[what] for what, _, _ in script], ["text"])
    asked = dispatcher(
        provider,
        slots=3,
        budget=BudgetOptions(requests_per_minute=15),
        dispatch=DispatchOptions(queue_size=8),
    )
    most, began = 0, trio.current_time()

    async def one(number: int, start: float, leave: float) -> None:
        nonlocal most
        await trio.sleep(start)
        with trio.move_on_after(leave):
            with suppress(ProviderError):
                await ask(asked, f"person {number % 4}", 6.0)
        assert trio.current_time() - began <= start + min(leave, 6.0) + 1e-6
        most = max(most, provider.most_in_flight)

    async with trio.open_nursery() as nursery:
        for number, (_, start, leave) in enumerate(script):
            nursery.start_soon(one, number, start, leave)
    figures = asked.statistics()
    assert (figures.in_flight, figures.waiting, provider.in_flight) == (0, 0, 0)
    assert most <= 3
    await trio.sleep(61)
    assert asked.statistics().requests_left == 15
