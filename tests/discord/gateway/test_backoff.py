"""The gaps between tries grow while tries fail, and are small again after a connection that lasted."""

import random
from itertools import pairwise

import pytest

from discordianai.discord.gateway.backoff import HEALTHY_AFTER, Backoff


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backoff(clock: Clock) -> Backoff:
    return Backoff(5.0, 5.0, 120.0, clock=clock, chance=random.Random(1))


def fail(backoff: Backoff, clock: Clock) -> float:
    """One try that fails at once; when it began."""
    clock.now += backoff.delay()
    assert backoff.delay() == 0
    backoff.begin()
    backoff.lose()
    return clock.now


def test_the_first_try_begins_at_once(backoff: Backoff) -> None:
    """Nothing has failed yet."""
    assert (backoff.delay(), backoff.failures) == (0.0, 0)


def test_the_gaps_double_up_to_the_longest_and_no_two_are_alike(backoff: Backoff, clock: Clock) -> None:
    """Many bots that were disconnected together do not come back together."""
    gaps = [later - earlier for earlier, later in pairwise(fail(backoff, clock) for _ in range(12))]
    for gap, least in zip(gaps, [5, 10, 20, 40, 80, *[120] * 6], strict=True):
        assert least <= gap <= least * 1.25
    assert len(set(gaps)) == len(gaps)


def test_a_day_of_failures_stays_below_the_days_limit(backoff: Backoff, clock: Clock) -> None:
    """A fault that lasts never uses up what Discord allows: 1000, of which 50 are kept."""
    tries, end = 0, clock.now + 86_400
    while fail(backoff, clock) < end:
        tries += 1
    assert tries <= 730


def test_what_lasted_makes_the_next_failure_the_first(backoff: Backoff, clock: Clock) -> None:
    """A session of two minutes is healthy; its loss does not continue an earlier failure."""
    for _ in range(5):
        fail(backoff, clock)
    clock.now += backoff.delay()
    backoff.begin()
    backoff.establish()
    clock.now += HEALTHY_AFTER
    backoff.lose()
    assert (backoff.delay(), backoff.failures) == (0.0, 0)


def test_what_did_not_last_has_failed(backoff: Backoff, clock: Clock) -> None:
    """A session that is closed right after READY each time is begun at growing intervals."""
    for failures in range(1, 8):
        clock.now += backoff.delay()
        backoff.begin()
        backoff.establish()
        clock.now += HEALTHY_AFTER - 1
        backoff.lose()
        assert backoff.failures == failures


def test_a_try_keeps_its_distance_even_after_a_success(backoff: Backoff, clock: Clock) -> None:
    """Also where the one before is not known to have failed."""
    backoff.begin()
    assert backoff.delay() == 5.0
    clock.now += 2
    assert backoff.delay() == 3.0


def test_a_pause_that_is_asked_for_comes_on_top(backoff: Backoff, clock: Clock) -> None:
    """Both count: the distance between tries, and what Discord wants after it has said no."""
    backoff.begin()
    backoff.lose(3.0)
    assert 8.0 <= backoff.delay() <= 9.25
    backoff.hold(100.0)
    assert backoff.delay() == 100.0
    backoff.hold(1.0)  # a shorter one takes nothing back
    assert backoff.delay() == 100.0
