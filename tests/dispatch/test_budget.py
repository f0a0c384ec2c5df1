"""Budgets are exact, limits adapt: pure functions of a clock."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discordianai.dispatch.attempt import RetryBudget
from discordianai.dispatch.breaker import LOWER_COOLDOWN, AdaptiveLimit
from discordianai.dispatch.budget import Budget, BudgetOptions, SlidingWindow
from discordianai.records import Quota, RateLimits


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(1, 60)), max_size=60))
@example([(0.0, 1.2759173714230112), (1.0, 40.0), (0.0, 60.0)])  # sums to a little more than 100
def test_no_stretch_of_a_period_exceeds_the_limit_and_no_wait_is_longer_than_needed(
    asked: list[tuple[float, float]],
) -> None:
    window, now, admitted = SlidingWindow(100.0, 60.0), 0.0, list[tuple[float, float]]()
    for pause, amount in asked:
        now += pause
        wait = window.delay(amount, now)
        if wait > 0:
            # A moment earlier it would not have fitted.
            early = now + wait - 1e-3
            assert sum(a for at, a in admitted if at > early - 60) + amount > 100.0
        now += wait
        assert window.delay(amount, now) <= 1e-6
        window.reserve(amount, now)
        admitted.append((now, amount))
        assert sum(a for at, a in admitted if at > now - 60 + 1e-6) <= 100.0 + 1e-6


def test_what_is_larger_than_the_limit_passes_when_it_is_alone() -> None:
    window = SlidingWindow(10.0, 60.0)
    assert window.delay(50.0, 0.0) == 0.0
    window.reserve(50.0, 0.0)
    assert window.delay(1.0, 0.0) == 60.0


def test_a_settled_request_gives_back_what_it_did_not_take() -> None:
    budget = Budget(BudgetOptions(tokens_per_minute=1000))
    reservation = budget.reserve(700, 0.0)
    assert budget.delay(400, 1.0) > 0
    budget.settle(reservation, 400, 0.5)
    assert budget.delay(400, 1.0) == 0.0


def test_a_request_that_was_not_sent_costs_nothing() -> None:
    budget = Budget(BudgetOptions(requests_per_minute=1))
    budget.give_back(budget.reserve(1, 0.0), 0.0)
    assert budget.remaining(1.0) == (1, float("inf"))


def test_retry_after_holds_everybody() -> None:
    budget = Budget(BudgetOptions())
    budget.pause(7.0, 10.0)
    budget.pause(2.0, 10.0)
    assert budget.delay(1, 11.0) == 6.0


def test_what_the_provider_says_counts_more_than_the_settings_up_and_down() -> None:
    budget = Budget(BudgetOptions(requests_per_minute=10, tokens_per_minute=1000))
    budget.believe(RateLimits(Quota(2, 1, 30.0), Quota(5000, 4000, 1.0)), 0.0)
    assert budget.remaining(0.0) == (1, 4000)
    assert budget.delay(1, 0.0) == 0.0
    budget.believe(RateLimits(requests=Quota(2, 0, 30.0)), 0.0)
    assert budget.delay(1, 0.0) == pytest.approx(30.0)


def test_what_somebody_else_used_with_the_same_key_is_not_there_any_more() -> None:
    budget = Budget(BudgetOptions(requests_per_minute=100))
    for _ in range(10):
        budget.reserve(1, 0.0)
    budget.believe(RateLimits(requests=Quota(100, 90, 6.0)), 0.0)
    assert budget.remaining(0.0)[0] == 90
    budget.believe(RateLimits(requests=Quota(100, 40, 36.0)), 1.0)
    assert budget.remaining(1.0)[0] == 40
    assert budget.remaining(62.0)[0] == 100


def test_those_served_lately_keep_a_pace_and_leave_the_last_of_the_budget_to_others() -> None:
    budget, now = Budget(BudgetOptions(requests_per_minute=100)), 0.0
    for _ in range(11):
        assert budget.wait_evenly(1, now) == 0.0
        budget.reserve(1, now)
    assert 0.6 < budget.wait_evenly(1, now) < 0.8
    assert budget.delay(1, now) == 0.0
    for _ in range(88):
        budget.reserve(1, now)
    assert budget.wait_evenly(1, 30.0) > 30.0
    assert budget.delay(1, 30.0) == 0.0


def test_after_a_burst_those_served_lately_spread_what_is_left_until_the_burst_is_a_minute_old() -> None:
    budget = Budget(BudgetOptions(requests_per_minute=100))
    for _ in range(79):
        budget.reserve(1, 0.0)
    sent, now = 0, 0.0
    while now < 59:
        now += max(budget.wait_evenly(1, now), 1e-3)
        if budget.wait_evenly(1, now) == 0:
            budget.reserve(1, now)
            sent += 1
    assert sent == pytest.approx(20, abs=1)
    assert budget.delay(1, 59.0) == 0.0


def test_a_burst_is_capped_where_a_provider_counts_in_shorter_periods() -> None:
    budget = Budget(BudgetOptions(requests_per_minute=60, burst=6))
    for _ in range(6):
        assert budget.delay(1, 0.0) == 0.0
        budget.reserve(1, 0.0)
    assert budget.delay(1, 0.0) == pytest.approx(6.02)
    # The provider allows ten times as many: so the same burst is over ten times as soon.
    budget.believe(RateLimits(requests=Quota(600, 594, 1.0)), 0.0)
    assert budget.delay(1, 0.0) == pytest.approx(0.602)


def test_429s_halve_the_limit_once_for_each_cooldown_and_successes_raise_it_by_one() -> None:
    limit = AdaptiveLimit(40)
    for now in (0.0, 0.1, 0.2):
        limit.rate_limited(now)
    assert limit.current == 20
    for number in range(20):
        limit.rate_limited(LOWER_COOLDOWN * (number + 1))
    assert limit.current == 1
    values = []
    for _ in range(2000):
        limit.succeeded()
        values.append(limit.current)
    assert values[-1] == 40
    assert all(later - earlier in {0, 1} for earlier, later in pairwise(values))


def test_single_failures_are_accidents_and_three_in_a_cooldown_are_not() -> None:
    limit = AdaptiveLimit(40)
    for number in range(20):
        limit.failed(number * LOWER_COOLDOWN)
    assert limit.current == 40
    for _ in range(3):
        limit.failed(200.0)
    assert limit.current == 20


def test_after_an_outage_half_of_the_limit_is_there_at_once_but_not_after_a_429() -> None:
    limit = AdaptiveLimit(40)
    for number in range(60):
        limit.failed(number / 2)
    assert limit.current < 5
    limit.recovered()
    assert limit.current == 20
    limit.rate_limited(100.0)
    limit.recovered()
    assert limit.current == 10


@given(st.lists(st.booleans(), max_size=300))
def test_repetitions_are_a_tenth_of_all_requests_at_most(asks: list[bool]) -> None:
    budget, requests, repetitions = RetryBudget(0.1), 0, 0
    for repeat in asks:
        if repeat:
            repetitions += budget.take()
        else:
            requests += 1
            budget.earn()
        assert repetitions <= 5 + requests * 0.1 + 1e-9


def test_a_limit_of_each_second_is_kept_and_its_minute_too() -> None:
    """Perplexity tells its limit for a second: it counts more than the burst of the settings, up and down."""
    budget, now = Budget(BudgetOptions(requests_per_minute=50, burst=1)), 1000.0
    budget.reserve(10, now)
    assert budget.delay(10, now) == pytest.approx(1.2, abs=0.01)
    budget.believe(RateLimits(requests_per_second=Quota(8, 7, 1.0)), now)
    for _ in range(7):
        assert budget.delay(10, now) == 0.0
        budget.reserve(10, now)
    assert budget.delay(10, now) == pytest.approx(1.2, abs=0.01)
    assert budget.limits[0] == 50


def test_what_others_used_of_a_second_is_waited_for() -> None:
    """Nothing is left, and it was not this bot that used it: the next second begins soon."""
    budget, now = Budget(BudgetOptions(requests_per_minute=50, burst=1)), 1000.0
    budget.believe(RateLimits(requests_per_second=Quota(3, 0, 0.4)), now)
    assert 0 < budget.delay(10, now) <= 0.5
