"""Nothing waits for what is known to come too late: long pauses, spent accounts, wrong keys, used budgets."""

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from discordianai.dispatch.attempt import RetryOptions
from discordianai.dispatch.breaker import BreakerOptions, BreakerReason, BreakerState
from discordianai.dispatch.budget import BELIEVED_FOR, BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions, QueuePosition
from discordianai.dispatch.options import DispatchOptions
from discordianai.dispatch.refusals import BeyondTheMinute, BreakerOpen, DeadlinePassed, WaitTooLong
from discordianai.option import Live
from discordianai.providers.errors import (
    AuthenticationFailed,
    ConnectionLost,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TimedOut,
)
from discordianai.providers.port import Event, LimitsReport
from discordianai.records import ChatRequest, Quota, RateLimits, Role, Turn
from tests.doubles.provider import FakeProvider, Step
from tests.known_providers import OPENAI

LATENCY = 0.2
"""Seconds that a provider takes for a refusal or a first word."""


def dispatcher(provider: FakeProvider, **options: object) -> Dispatcher:
    made = replace(DispatcherOptions(slots=10), **options)  # type: ignore[arg-type]  # by name
    return Dispatcher(provider, Live(made), random.Random(1))


@dataclass
class Ended:
    """How a question ended, and when."""

    error: ProviderError | None
    at: float
    positions: int = 0


async def ask(asked: Dispatcher, seconds: float = 300.0, person: str = "ann") -> Ended:
    request = ChatRequest("fake", (Turn(Role.USER, "why?"),), person=person)
    ended = Ended(None, 0.0)
    try:
        async with asked.stream(request, trio.current_time() + seconds) as events:
            async for event in events:
                ended.positions += isinstance(event, QueuePosition)
    except ProviderError as error:
        ended.error = error
    ended.at = trio.current_time()
    return ended


async def ask_into(ends: list[Ended], asked: Dispatcher, seconds: float = 300.0, person: str = "ann") -> None:
    ends.append(await ask(asked, seconds, person))


LONG = [
    pytest.param(RateLimited(OPENAI, "429", 3600.0), BreakerReason.RATE_LIMITED, 120.0, id="429, an hour"),
    pytest.param(RateLimited(OPENAI, "429", 200.0), BreakerReason.RATE_LIMITED, 120.0, id="429, 200 s"),
    pytest.param(Overloaded(OPENAI, "503", 86_400.0), BreakerReason.OVERLOADED, 120.0, id="503, a year"),
    pytest.param(QuotaExhausted(OPENAI, "429"), BreakerReason.QUOTA, 15.0, id="no credit"),
    pytest.param(AuthenticationFailed(OPENAI, "401"), BreakerReason.AUTHENTICATION, 15.0, id="wrong key"),
]


@pytest.mark.parametrize(("error", "reason", "interval"), LONG)
async def test_one_refusal_that_lasts_is_told_to_all_at_once_until_a_probe_is_answered(
    autojump_clock: MockClock, error: ProviderError, reason: BreakerReason, interval: float
) -> None:
    """The first question is not asked again, the later ones not at all; the probe's first words end that."""
    provider = FakeProvider([LATENCY, error], ["a word", 60.0, "the last word"])
    asked = dispatcher(provider)
    began = trio.current_time()
    assert (await ask(asked)).error is error
    for _ in range(5):
        refused = await ask(asked)
        assert isinstance(refused.error, BreakerOpen)
        assert refused.error.reason is reason
        assert refused.error.what_happened == error.what_happened
    assert trio.current_time() - began == pytest.approx(LATENCY)
    assert len(provider.requests) == 1
    figures = asked.statistics()
    assert figures.retries == 0
    assert (figures.breaker, figures.breaker_reason) == (BreakerState.OPEN, reason)
    assert figures.next_probe == pytest.approx(interval)
    assert figures.pause == (getattr(error, "retry_after", None) or 0.0)
    await trio.sleep(interval)
    async with trio.open_nursery() as nursery:
        ends: list[Ended] = []
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(1)
        assert asked.statistics().breaker is BreakerState.CLOSED
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(1)
        assert provider.in_flight == 2
    assert [ended.error for ended in ends] == [None, None]
    assert (asked.statistics().pause, asked.statistics().breaker_reason) == (0.0, None)


async def test_where_little_is_asked_a_silent_provider_is_not_waited_for_again_and_again(
    autojump_clock: MockClock,
) -> None:
    """Three questions wait for their timeout; of the others few do, and not for long: they go elsewhere."""
    silent: list[Step] = [120.0, TimedOut(OPENAI, "nothing came in time")]
    provider = FakeProvider(silent, silent, silent, silent, silent, silent, ["well again"])
    asked = dispatcher(provider)
    waits = list[float]()
    for _ in range(12):
        began = trio.current_time()
        ended = await ask(asked)
        waits.append(ended.at - began)
        await trio.sleep(20)
    assert waits == [120, 120, 120, 15, 30, 0, 60, 0, 0, 0, 0, 0]
    assert ended.error is None
    assert asked.statistics().breaker is BreakerState.CLOSED


async def test_a_probe_that_is_being_answered_has_all_its_time(autojump_clock: MockClock) -> None:
    """A header is a sign, too; only silence is given up early."""
    down = [ConnectionLost(OPENAI, "refused")]
    limits = LimitsReport(RateLimits())
    provider = FakeProvider(down, [5.0, limits, 100.0, "a word", 100.0, "the last"])
    asked = dispatcher(provider, breaker=BreakerOptions(minimum=1), dispatch=DispatchOptions(max_attempts=1))
    await ask(asked)
    await trio.sleep(15)
    assert (await ask(asked)).error is None


async def test_a_provider_whose_answers_always_begin_late_is_found_well_by_the_first_probe(
    autojump_clock: MockClock,
) -> None:
    """As one that sends whole answers, or loads its model first: a wait that is usual is no silence."""
    late: list[Step] = [50.0, "a word"]
    asked = dispatcher(
        FakeProvider(late, [ConnectionLost(OPENAI, "refused")], late),
        breaker=BreakerOptions(minimum=1),
        dispatch=DispatchOptions(max_attempts=1),
    )
    for error in (None, ConnectionLost, None):
        ended = await ask(asked)
        assert isinstance(ended.error, error) if error else ended.error is None
        await trio.sleep(20)


async def test_while_a_probe_is_being_answered_one_more_passes_in_each_interval(
    autojump_clock: MockClock,
) -> None:
    """A long answer is no reason to keep everybody away, who are told to come again in 15 s each time."""
    asked = dispatcher(
        FakeProvider([ConnectionLost(OPENAI, "refused")], ["a word", 200.0, "the last"], ["fine"]),
        breaker=BreakerOptions(minimum=1),
        dispatch=DispatchOptions(max_attempts=1),
    )
    await ask(asked)
    await trio.sleep(15)
    ends = list[Ended]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(1)
        assert isinstance((await ask(asked)).error, BreakerOpen)
        await trio.sleep(15)
        assert (await ask(asked)).error is None
        assert asked.statistics().breaker is BreakerState.CLOSED
    assert ends[0].error is None


async def test_one_question_that_fails_again_and_again_keeps_no_other_away(autojump_clock: MockClock) -> None:
    """It may be what fails: as where a gateway gives its answer up each time, and no other's."""
    failing: list[Step] = [20.0, Overloaded(OPENAI, "504")]
    asked = dispatcher(FakeProvider(failing, failing, failing, ["fine"]))
    assert isinstance((await ask(asked)).error, Overloaded)
    assert (await ask(asked, person="bob")).error is None


async def test_an_accident_long_after_an_outage_is_retried(autojump_clock: MockClock) -> None:
    """Nobody has asked meanwhile. As the first request of a morning may meet a connection that is dead."""
    down, lost = [Overloaded(OPENAI, "503")], [ConnectionLost(OPENAI, "reset")]
    asked = dispatcher(FakeProvider(down, down, down, lost, ["fine"]))
    assert isinstance((await ask(asked)).error, Overloaded)
    await trio.sleep(3600)
    assert (await ask(asked)).error is None


async def test_a_provider_that_is_silent_until_each_deadline_is_not_waited_for_for_ever(
    autojump_clock: MockClock,
) -> None:
    """Its own timeout is longer than what a question has. One that had only a moment says nothing of it."""
    asked = dispatcher(FakeProvider([1000.0, "never"]))
    for _ in range(9):
        assert isinstance((await ask(asked, 10.0)).error, DeadlinePassed)
    for _ in range(3):
        assert isinstance((await ask(asked, 40.0)).error, DeadlinePassed)
    assert isinstance((await ask(asked, 40.0)).error, BreakerOpen)


@pytest.mark.parametrize(
    ("error", "seconds", "next_try"),
    [
        pytest.param(RateLimited(OPENAI, "429", 3600.0), 300.0, "2 minutes", id="the breaker's probe"),
        pytest.param(Overloaded(OPENAI, "503", 86_400.0), 300.0, "2 minutes", id="the same after a 503"),
        pytest.param(RateLimited(OPENAI, "429", 100.0), 60.0, "100 seconds", id="beyond the deadline"),
    ],
)
async def test_who_meets_a_long_pause_reads_when_the_next_try_is(
    autojump_clock: MockClock, error: ProviderError, seconds: float, next_try: str
) -> None:
    """As those do who come after: not "in a minute", when nothing is sent then."""
    asked = dispatcher(FakeProvider([LATENCY, error], ["never"]))
    met, later = await ask(asked, seconds), await ask(asked, seconds)
    assert met.error is error
    assert error.for_person == f"{error.what_happened} Please try again in {next_try}."
    assert later.error is not None
    assert later.error.for_person.endswith(f"Please try again in {next_try}.")


async def test_who_meets_a_refusal_without_a_named_pause_reads_the_usual_advice(
    autojump_clock: MockClock,
) -> None:
    """Nobody knows when it ends."""
    error = RateLimited(OPENAI, "429")
    asked = dispatcher(FakeProvider([error], [error]), dispatch=DispatchOptions(max_attempts=1))
    await ask(asked)
    assert error.for_person == f"{error.what_happened} {RateLimited.advice}"


@pytest.mark.parametrize(("error", "reason", "interval"), LONG)
async def test_those_who_wait_in_the_queue_are_told_at_once(
    autojump_clock: MockClock, error: ProviderError, reason: BreakerReason, interval: float
) -> None:
    """The refusal of one question is what all of them waited for."""
    provider = FakeProvider([10.0, error], ["never"])
    asked = dispatcher(provider, slots=1)
    ends: list[Ended] = []
    async with trio.open_nursery() as nursery:
        for person in range(9):
            nursery.start_soon(ask_into, ends, asked, 300.0, str(person))
        await trio.sleep(9)
        assert asked.statistics().waiting == 8
    assert [ended.at for ended in ends] == [pytest.approx(10.0)] * 9
    assert sum(isinstance(ended.error, BreakerOpen) for ended in ends) == 8
    assert (len(provider.requests), asked.statistics().next_probe) == (1, interval)
    assert asked.statistics().breaker_reason is reason


async def test_who_pauses_before_another_try_is_told_when_the_breaker_opens(
    autojump_clock: MockClock,
) -> None:
    """The pause after a lost connection may be twenty seconds."""
    asked = dispatcher(
        FakeProvider([LATENCY, ConnectionLost(OPENAI, "reset")], [1.0, QuotaExhausted(OPENAI, "429")]),
        retry=RetryOptions(first_delay=300.0, longest_delay=300.0),
    )
    ends: list[Ended] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(LATENCY / 2)
        nursery.start_soon(ask_into, ends, asked)
    assert [ended.at for ended in ends] == [pytest.approx(1.1), pytest.approx(1.1)]
    assert {type(ended.error) for ended in ends} == {BreakerOpen, QuotaExhausted}


async def test_who_waits_for_the_end_of_a_pause_is_told_when_a_long_one_arrives(
    autojump_clock: MockClock,
) -> None:
    """A short pause is waited for in the queue, and the long one replaces it."""
    asked = dispatcher(
        FakeProvider([LATENCY, RateLimited(OPENAI, "429", 100.0)], [10.0, RateLimited(OPENAI, "429", 3600.0)])
    )
    ends: list[Ended] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(LATENCY / 2)
        nursery.start_soon(ask_into, ends, asked)
        await trio.sleep(5)
        assert asked.statistics().waiting == 1
        assert asked.statistics().pause == pytest.approx(95, abs=1)
    assert [ended.at for ended in ends] == [pytest.approx(10.1), pytest.approx(10.1)]
    assert {type(ended.error) for ended in ends} == {BreakerOpen, RateLimited}


async def test_a_short_pause_holds_only_who_has_time_for_it(autojump_clock: MockClock) -> None:
    """The others are told at once that it is longer than their deadline, those in the queue too."""
    provider = FakeProvider([LATENCY, RateLimited(OPENAI, "429", 60.0)], ["fine"])
    asked = dispatcher(provider, slots=1)
    ends: dict[float, Ended] = {}

    async def one(seconds: float) -> None:
        ends[seconds] = await ask(asked, seconds, str(seconds))

    async with trio.open_nursery() as nursery:
        for seconds in (100.0, 200.0, 30.0, 40.0):
            nursery.start_soon(one, seconds)
            await trio.sleep(0.01)
        await trio.sleep(10)
        for seconds in (45.0, 55.0):
            nursery.start_soon(one, seconds)
    told = {seconds: type(ended.error) for seconds, ended in ends.items()}
    assert told == {100.0: type(None), 200.0: type(None), 30.0: WaitTooLong, 40.0: WaitTooLong} | {
        45.0: WaitTooLong,
        55.0: type(None),
    }
    assert [ends[seconds].at for seconds in (30.0, 40.0)] == [pytest.approx(LATENCY)] * 2
    assert ends[45.0].at == pytest.approx(10.04)
    assert all(ends[seconds].at == pytest.approx(60.2, abs=0.1) for seconds in (55.0, 100.0, 200.0))
    refused = ends[30.0].error
    assert refused is not None
    assert refused.for_person == "OpenAI can't get to this question in time. Please try again in 60 seconds."
    assert refused.helped_by_others
    assert asked.statistics().refused == 3


async def test_budget_that_cannot_come_in_time_is_not_waited_for(autojump_clock: MockClock) -> None:
    """What others have used comes back after a minute; what they may still give back is waited for."""
    asked = dispatcher(FakeProvider(["fine"]), budget=BudgetOptions(requests_per_minute=1))
    assert (await ask(asked)).error is None
    refused = await ask(asked, 50.0, "ben")
    assert isinstance(refused.error, WaitTooLong)
    assert refused.at == 0
    assert (await ask(asked, 70.0, "ben")).error is None
    asked = dispatcher(FakeProvider([5.0, "fine"]), budget=BudgetOptions(tokens_per_minute=1000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, asked)
        await trio.sleep(0.1)
        answered = await ask(asked, 20.0, "ben")  # the first one reports 30 tokens, of about 650 reserved
    assert answered.error is None


@pytest.mark.parametrize("slots", [2, 10])
async def test_of_those_who_waited_for_a_probe_one_is_it_and_the_others_are_told(
    autojump_clock: MockClock, slots: int
) -> None:
    """A short pause held them while the breaker was half open; with ten slots all are granted at once."""
    provider = FakeProvider(
        [LATENCY, RateLimited(OPENAI, "429", 100.0)],
        [1.0, QuotaExhausted(OPENAI, "429")],
        [50.0, "a word"],
    )
    asked = dispatcher(provider, slots=slots, dispatch=DispatchOptions(max_attempts=1))
    ends: list[Ended] = []
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(ask, asked)
        await trio.sleep(20)
        for person in range(5):
            nursery.start_soon(ask_into, ends, asked, 300.0, str(person))
        await trio.sleep(1)
        assert asked.statistics().waiting == 5
    assert [round(ended.at, 1) for ended in ends] == [100.2, 100.2, 100.2, 100.2, 150.2]
    assert [type(ended.error) for ended in ends] == [BreakerOpen] * 4 + [type(None)]
    assert len(provider.requests) == 3


@pytest.mark.parametrize(("pause", "interval"), [(5.0, 5.0), (None, 240.0)])
async def test_a_probe_that_is_refused_closes_nothing(
    autojump_clock: MockClock, pause: float | None, interval: float
) -> None:
    """A 429 that names a shorter pause is believed; one that names none changes nothing."""
    provider = FakeProvider(
        [RateLimited(OPENAI, "429", 3600.0)], [RateLimited(OPENAI, "429", pause)], ["well again"]
    )
    asked = dispatcher(provider)
    await ask(asked)
    await trio.sleep(120)
    assert isinstance((await ask(asked)).error, RateLimited)
    assert asked.statistics().breaker is BreakerState.OPEN
    assert asked.statistics().next_probe == pytest.approx(interval)
    await trio.sleep(interval)
    assert (await ask(asked)).error is None


class Outage(FakeProvider):
    """Refuses from `begin` to `end`, in seconds, with the error that `refuse` makes, and notes when."""

    def __init__(self, begin: float, end: float, refuse: Callable[[], ProviderError]) -> None:
        super().__init__(["a word", 1.0])
        self._begin, self._end, self._refuse = begin, end, refuse
        self.refused: list[tuple[float, float]] = []
        """When each request that was refused came, and when it was."""

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event]]:
        sent = trio.current_time()
        await trio.sleep(LATENCY)
        if self._begin <= sent < self._end:
            self.refused.append((sent, trio.current_time()))
            raise self._refuse()
        async with super().stream(request, deadline) as events:
            yield events


def refusal(kind: str, pause: float) -> ProviderError:
    match kind:
        case "quota":
            return QuotaExhausted(OPENAI, "429")
        case "key":
            return AuthenticationFailed(OPENAI, "401")
        case "limited":
            return RateLimited(OPENAI, "429", pause)
    return Overloaded(OPENAI, "503", pause)


questions = st.lists(st.tuples(st.floats(0, 1500), st.floats(0.5, 400)), min_size=1, max_size=25)


@given(
    st.sampled_from(["quota", "key", "limited", "overloaded"]),
    st.floats(0, 90_000) | st.floats(0, 200),
    st.floats(0, 20),
    st.floats(1, 1200),
    questions,
    st.sampled_from([1, 3]),
)
@example("quota", 0.0, 1.0, 60.0, [(0.0, 1.0), (60.0, 1.0), (60.2, 1.0)], 3)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_question_waits_past_its_deadline_or_for_a_pause_that_is_longer(
    autojump_clock: MockClock,
    kind: str,
    pause: float,
    begin: float,
    seconds: float,
    script: list[tuple[float, float]],
    slots: int,
) -> None:
    """And never is there more than one probe in an interval, whoever asks when, and however long it lasts."""
    start = trio.current_time()
    begin, end = start + begin, start + begin + seconds
    provider = Outage(begin, end, lambda: refusal(kind, pause))
    asked = dispatcher(provider, slots=slots)
    options = BreakerOptions()
    lasting = kind in {"quota", "key"} or pause > options.longest_pause

    async def one(number: int, delay: float, limit: float) -> None:
        await trio.sleep(delay)
        came = trio.current_time()
        ended = await ask(asked, limit, f"person {number}")
        assert ended.at <= came + limit + 1e-6
        known = [at for _, at in provider.refused if came <= at < ended.at - 1e-6]
        if known and (lasting or pause >= came + limit - known[0]):
            # It was told as soon as anybody knew, unless it was being answered or was the next probe.
            assert ended.error is None or ended.at <= known[0] + LATENCY + 1e-6, ended
        if isinstance(ended.error, BreakerOpen):
            assert ended.error.seconds <= options.longest_interval + 1e-6

    async with trio.open_nursery() as nursery:
        for number, (delay, limit) in enumerate(script):
            nursery.start_soon(one, number, delay, limit)
    assert provider.in_flight == 0
    assert asked.statistics().waiting == 0
    if lasting and provider.refused:
        first_known = provider.refused[0][1]
        # What is sent in the very moment of the first refusal knows nothing of it yet.
        probes = [sent for sent, _ in provider.refused if sent > first_known + 1e-6]
        interval = options.interval if kind in {"quota", "key"} else min(pause, options.longest_pause)
        times = [first_known, *probes]
        assert all(later - earlier >= interval - 1e-6 for earlier, later in pairwise(times))


async def test_a_provider_that_is_well_again_is_used_again_in_time(autojump_clock: MockClock) -> None:
    """With a question every second, probes come on time, and the first after the outage ends it."""
    provider = Outage(0.0, 500.0, lambda: RateLimited(OPENAI, "429", 3600.0))
    asked = dispatcher(provider)
    first_answer = math.inf
    while first_answer == math.inf and trio.current_time() < 2000:
        ended = await ask(asked)
        assert not isinstance(ended.error, DeadlinePassed)
        first_answer = ended.at if ended.error is None else math.inf
        await trio.sleep(1)
    assert [round(at) for at, _ in provider.refused] == [0, 120, 360]
    assert first_answer < 360 + 480 + 5


@pytest.mark.parametrize("make", [RateLimited, Overloaded])
@pytest.mark.parametrize("pause", [1.0, 30.0, 60.0])
async def test_short_pauses_without_end_are_a_long_one(
    autojump_clock: MockClock, make: type[RateLimited | Overloaded], pause: float
) -> None:
    """Twenty people ask; nobody waits for one pause after another until the question is too old to be asked
    elsewhere."""
    provider = FakeProvider([LATENCY, make(OPENAI, "429", pause)])
    asked = dispatcher(provider)
    ends: list[Ended] = []
    async with trio.open_nursery() as nursery:
        for person in range(20):
            nursery.start_soon(ask_into, ends, asked, 300.0, str(person))
    assert all(ended.error is not None and ended.error.helped_by_others for ended in ends)
    assert max(ended.at for ended in ends) <= 125.0
    if pause > 1.0:  # else the tries are used up first
        assert asked.statistics().breaker is not BreakerState.CLOSED
        assert isinstance((await ask(asked)).error, BreakerOpen)


async def test_short_pauses_between_answers_open_nothing(autojump_clock: MockClock) -> None:
    """Nor do those that hours lie between: each was over when the next one began."""
    limited: list[Step] = [LATENCY, RateLimited(OPENAI, "429", 50.0)]
    asked = dispatcher(FakeProvider(limited, ["fine"], limited, ["fine"], limited, ["fine"]))
    for _ in range(3):
        assert (await ask(asked)).error is None
    asked = dispatcher(FakeProvider(limited), dispatch=DispatchOptions(max_attempts=1))
    for _ in range(5):
        await ask(asked)
        await trio.sleep(3600)
    assert asked.statistics().breaker is BreakerState.CLOSED


@pytest.mark.parametrize("pause", [0.0, 0.001])
async def test_a_pause_of_nothing_is_no_reason_to_ask_again_at_once(
    autojump_clock: MockClock, pause: float
) -> None:
    """As a date that has passed is, or a 0: the usual delay lies between two tries."""
    provider = FakeProvider([RateLimited(OPENAI, "429", pause)])
    asked = dispatcher(provider, retry=RetryOptions(first_delay=10.0, longest_delay=10.0))
    ended = await ask(asked)
    assert isinstance(ended.error, RateLimited)
    assert ended.at > 2.0


@pytest.mark.parametrize("make", [TimedOut, ConnectionLost])
async def test_a_provider_that_stalls_leaves_time_to_ask_another_one(
    autojump_clock: MockClock, make: type[TimedOut | ConnectionLost]
) -> None:
    """Two minutes of silence three times would be all that a question has."""
    asked = dispatcher(FakeProvider([120.0, make(OPENAI, "nothing came")]))
    ended = await ask(asked, 300.0)
    assert isinstance(ended.error, make)
    assert ended.at == pytest.approx(120.0)
    quick = dispatcher(FakeProvider([20.0, make(OPENAI, "nothing came")], ["fine"]))
    assert (await ask(quick, 300.0)).error is None


async def test_an_absurd_limit_that_a_provider_has_told_once_is_forgotten(autojump_clock: MockClock) -> None:
    """It keeps every question away, so that nothing the provider says could correct it."""
    absurd = LimitsReport(RateLimits(tokens=Quota(1, 1, 1.0)))
    provider = FakeProvider([absurd, "fine"], ["fine"])
    asked = dispatcher(provider, budget=BudgetOptions(tokens_per_minute=100_000))
    assert (await ask(asked)).error is None
    assert isinstance((await ask(asked)).error, BeyondTheMinute)
    await trio.sleep(BELIEVED_FOR + 1)
    assert (await ask(asked)).error is None
    assert asked.statistics().tokens_limit == 100_000
