"""Models that their provider limits by themselves: each keeps to its own budget, and holds up no other."""

import random
from collections import defaultdict
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from discordianai.dispatch.breaker import AdaptiveLimit, BreakerOptions
from discordianai.dispatch.budget import PERIOD, Budget, BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.fair_queue import FairQueue
from discordianai.dispatch.refusals import BeyondTheMinute, WaitTooLong
from discordianai.option import Live
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.provider import FakeProvider

SMALL, LARGE = "small", "large"
OPTIONS = DispatcherOptions(
    slots=4,
    breaker=BreakerOptions(minimum=10**6),
    budget=BudgetOptions(requests_per_minute=30),
    models={SMALL: BudgetOptions(requests_per_minute=3)},
)


class Scene:
    """A dispatcher, and when each model was asked."""

    def __init__(self, options: DispatcherOptions = OPTIONS) -> None:
        self.live = Live(options)
        self.dispatcher = Dispatcher(FakeProvider(["an answer"]), self.live, random.Random(1))
        self.answered: dict[str, list[float]] = defaultdict(list)

    async def ask(self, model: str, person: str = "ann", seconds: float = 1000.0) -> None:
        request = ChatRequest(model, (Turn(Role.USER, "why?"),), person=person)
        async with self.dispatcher.stream(request, trio.current_time() + seconds) as events:
            async for _ in events:
                pass
        self.answered[model].append(trio.current_time())

    async def ask_all(self, *models: str) -> None:
        """From as many people."""
        async with trio.open_nursery() as nursery:
            for number, model in enumerate(models):
                nursery.start_soon(self.ask, model, f"person {number}")
                await trio.sleep(0.001)


async def test_a_model_keeps_to_its_own_requests(autojump_clock: MockClock) -> None:
    """In any minute, whatever its provider allows in all."""
    scene = Scene()
    await scene.ask_all(*[SMALL] * 9)
    times = scene.answered[SMALL]
    assert len(times) == 9
    assert all(times[place + 3] - times[place] >= 60 for place in range(6))


async def test_a_model_that_waits_holds_up_no_other(autojump_clock: MockClock) -> None:
    """Those behind it in the queue go on at once; it goes on itself when its minute is over."""
    scene = Scene()
    began = trio.current_time()
    await scene.ask_all(*[SMALL] * 6, *[LARGE] * 10)
    assert max(scene.answered[LARGE]) - began < 1
    assert max(scene.answered[SMALL]) - began == pytest.approx(PERIOD, abs=1)


async def test_the_providers_own_budget_holds_besides(autojump_clock: MockClock) -> None:
    """A model's budget allows nothing more."""
    generous = {SMALL: BudgetOptions(requests_per_minute=1000)}
    scene = Scene(replace(OPTIONS, budget=BudgetOptions(requests_per_minute=4), models=generous))
    began = trio.current_time()
    await scene.ask_all(*[SMALL] * 5)
    assert max(scene.answered[SMALL]) - began >= 60


async def test_who_cannot_be_asked_in_time_is_told_at_once(autojump_clock: MockClock) -> None:
    """As where the provider's budget is used up."""
    scene = Scene()
    await scene.ask_all(*[SMALL] * 3)
    began = trio.current_time()
    with pytest.raises(WaitTooLong):
        await scene.ask(SMALL, "ben", seconds=20)
    assert trio.current_time() == began
    await scene.ask(LARGE, "ben", seconds=20)


async def test_a_question_beyond_the_models_minute_is_refused(autojump_clock: MockClock) -> None:
    """It would wait for ever."""
    scene = Scene(replace(OPTIONS, models={SMALL: BudgetOptions(tokens_per_minute=100)}))
    with pytest.raises(BeyondTheMinute):
        await scene.ask(SMALL)
    await scene.ask(LARGE)


async def test_who_leaves_before_it_is_sent_gives_back_what_the_model_has() -> None:
    """A place is for who waits next, where the provider was not asked."""
    of_model = Budget(BudgetOptions(requests_per_minute=1))
    queue = FairQueue(trio.CapacityLimiter(2), AdaptiveLimit(2), Budget(BudgetOptions()), 10)
    with queue.enqueue("ann", 10, of_model=of_model) as first:
        assert first.decided.is_set()
        with queue.enqueue("ben", 10, of_model=of_model) as second:
            assert not second.decided.is_set()
    with queue.enqueue("ben", 10, of_model=of_model) as third:
        assert third.decided.is_set()
        third.sent = True
    assert of_model.delay(10, trio.current_time()) > 0


async def test_a_models_budget_changes_while_questions_wait(autojump_clock: MockClock) -> None:
    """What was spent before still counts; a model that loses its budget has that of the provider alone."""
    scene = Scene()
    await scene.ask_all(*[SMALL] * 3)
    more = {SMALL: BudgetOptions(requests_per_minute=5)}
    scene.live.reconfigure(replace(OPTIONS, models=more))
    began = trio.current_time()
    await scene.ask(SMALL, "cat")
    await scene.ask(SMALL, "dan")
    assert trio.current_time() - began < 1
    with pytest.raises(WaitTooLong):
        await scene.ask(SMALL, "ben", seconds=20)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.ask, SMALL, "ben")
        await trio.sleep(1)
        scene.live.reconfigure(replace(OPTIONS, models={}))
    await scene.ask(SMALL, "eve", seconds=20)
    assert trio.current_time() - began < 5


async def test_a_model_is_charged_what_a_question_took(autojump_clock: MockClock) -> None:
    """Not what was reserved for it, which is many times as much here."""
    scene = Scene(replace(OPTIONS, models={SMALL: BudgetOptions(tokens_per_minute=1500)}))
    began = trio.current_time()
    for person in range(10):
        await scene.ask(SMALL, f"person {person}")
    assert trio.current_time() - began < 10
