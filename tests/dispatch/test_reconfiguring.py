"""Limits that change while requests wait and are in flight."""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from discordianai.dispatch.budget import BudgetOptions, RateWindow
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.keyed_fifo_limiter import KeyedFifoLimiter
from discordianai.option import Live
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.provider import FakeProvider, Step

SLOW: list[Step] = [60.0, "an answer"]


async def ask(asked: Dispatcher, person: int) -> None:
    request = ChatRequest("fake", (Turn(Role.USER, "why?"),), person=str(person))
    async with asked.stream(request, trio.current_time() + 3000) as chunks:
        async for _ in chunks:
            pass


@pytest.mark.parametrize(("slots", "most"), [(5, 5), (1, 2)])
async def test_more_slots_serve_those_who_wait_and_fewer_end_no_answer(
    autojump_clock: MockClock, slots: int, most: int
) -> None:
    provider = FakeProvider(SLOW)
    live = Live(DispatcherOptions(slots=2))
    asked = Dispatcher(provider, live)
    async with trio.open_nursery() as nursery:
        for person in range(6):
            nursery.start_soon(ask, asked, person)
        await trio.sleep(1)
        assert provider.in_flight == 2
        live.reconfigure(replace(live.now, slots=slots))
        await trio.sleep(1)
        assert provider.in_flight == most
        await trio.sleep(60)
        assert 0 < provider.in_flight <= slots
    assert provider.left_early == 0


async def test_a_larger_budget_lets_through_at_once_and_what_was_spent_still_counts(
    autojump_clock: MockClock,
) -> None:
    provider = FakeProvider(["an answer"])
    live = Live(DispatcherOptions(slots=50, budget=BudgetOptions(requests_per_minute=2)))
    asked = Dispatcher(provider, live)
    async with trio.open_nursery() as nursery:
        for person in range(10):
            nursery.start_soon(ask, asked, person)
        await trio.sleep(1)
        assert len(provider.requests) == 2
        live.reconfigure(replace(live.now, budget=BudgetOptions(requests_per_minute=5)))
        await trio.sleep(1)
        assert len(provider.requests) == 5
        live.reconfigure(replace(live.now, budget=BudgetOptions()))
    assert len(provider.requests) == 10


async def test_a_person_may_have_more_in_work_at_once() -> None:
    limiter = KeyedFifoLimiter()
    tickets = [limiter.enqueue("ann") for _ in range(3)]
    limiter.reconfigure(2)
    await wait_all_tasks_blocked()
    assert [spot.admitted.is_set() for spot in tickets] == [True, True, False]


def test_a_rate_that_changes_counts_what_there_was() -> None:
    window = RateWindow(2, 60.0)
    assert [window.take("ann", 0.0) for _ in range(3)] == [0, 0, 60]
    window.reconfigure(3, 60.0)
    assert [window.take("ann", 1.0) for _ in range(2)] == [0, 59]
    window.reconfigure(1, 10.0)
    assert window.take("ann", 11.5) == 0
