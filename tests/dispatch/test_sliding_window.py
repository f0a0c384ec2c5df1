"""A sliding window never lets more through than it says, and never waits longer than it must."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.budget import MOST_KEYS, RateWindow

PAUSES = st.integers(0, 30 * 64).map(lambda number: number / 64)
"""Seconds, in parts that are added and subtracted exactly: 8.04 + 60 is less than a minute after 8.04."""


@given(
    steps=st.lists(st.tuples(PAUSES, st.integers(0, 2)), max_size=120),
    limit=st.integers(1, 5),
)
def test_no_stretch_of_the_period_holds_more_than_the_limit(
    steps: list[tuple[float, int]], limit: int
) -> None:
    window = RateWindow(limit, 60.0)
    taken: defaultdict[int, list[float]] = defaultdict(list)
    now = 0.0
    for pause, key in steps:
        now += pause
        if window.take(key, now) == 0:
            taken[key].append(now)
    for times in taken.values():
        for earlier, later in zip(times, times[limit:], strict=False):
            assert later - earlier >= 60.0


@given(st.integers(1, 10))
def test_a_burst_within_the_limit_passes_and_the_next_one_is_told_the_exact_wait(limit: int) -> None:
    window = RateWindow(limit, 60.0)
    assert [window.take("a", 0.0) for _ in range(limit)] == [0.0] * limit
    wait = window.take("a", 15.0)
    assert wait == 45.0
    assert window.take("a", 15.0 + wait) == 0.0


def test_people_who_stopped_asking_cost_no_memory() -> None:
    window = RateWindow(5, 60.0)
    for person in range(1000):
        window.take(person, 0.0)
    window.take("somebody", 61.0)
    assert len(window) == 1


def test_however_many_people_ask_in_one_period_memory_is_bounded() -> None:
    """Of the oldest the count is forgotten."""
    window = RateWindow(1, 60.0)
    for person in range(MOST_KEYS + 10):
        window.take(person, 0.0)
    assert len(window) == MOST_KEYS
    assert window.delay(9, 1.0) == 0.0
    assert window.delay(10, 1.0) == 59.0
