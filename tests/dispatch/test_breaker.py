"""When a breaker opens, when it probes, and when it closes: pure functions of a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.dispatch.breaker import Breaker, BreakerOptions, BreakerReason, BreakerState, LastingRefusal


def test_it_opens_at_the_rate_and_lets_one_probe_through_after_each_interval() -> None:
    """Also where nothing is known of a probe, because the person has left: the provider was asked."""
    breaker = Breaker(BreakerOptions(window=30, minimum=4, rate=0.5, interval=10))
    for failed in (True, False, True):
        breaker.leave(0.0, failed=failed, probe=breaker.enter(0.0))
    assert breaker.delay(0.0) == 0
    breaker.leave(0.0, failed=True, probe=breaker.enter(0.0))
    assert breaker.delay(1.0) == 9.0
    assert breaker.delay(10.0) == 0.0
    probe = breaker.enter(10.0)
    assert breaker.delay(10.0) > 0  # one at a time
    assert breaker.delay(50.0) > 0
    breaker.leave(51.0, failed=True, probe=probe)
    assert breaker.delay(52.0) == 40.0  # as long as the probe took
    breaker = Breaker(BreakerOptions(window=30, minimum=1, rate=0.5, interval=10))
    breaker.leave(51.0, failed=True, probe=False)
    assert breaker.delay(52.0) == 9.0
    assert breaker.delay(61.0) == 0.0
    breaker.leave(62.0, failed=None, probe=breaker.enter(61.0))
    assert breaker.delay(62.0) == 9.0
    assert breaker.delay(71.0) == 0.0
    breaker.leave(73.0, failed=False, probe=breaker.enter(71.0))
    assert breaker.state is BreakerState.CLOSED


def test_an_answer_completes_the_number_by_which_the_rate_is_judged() -> None:
    """Half of four have failed, whichever of them ended last."""
    breaker = Breaker(BreakerOptions(window=30, minimum=4, rate=0.5, interval=10))
    for failed in (True, True, False, False):
        assert breaker.state is BreakerState.CLOSED
        breaker.leave(0.0, failed=failed, probe=breaker.enter(0.0))
    assert breaker.state is BreakerState.OPEN


def test_old_failures_do_not_open_it() -> None:
    """They are older than the window when the next one comes, and there were answers meanwhile."""
    breaker = Breaker(BreakerOptions(window=30, minimum=4, rate=0.5, interval=10))
    for now in (0.0, 31.0, 62.0, 93.0, 124.0):
        breaker.leave(now, failed=True, probe=breaker.enter(now))
        breaker.leave(now + 15, failed=False, probe=breaker.enter(now + 15))
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ([(0, True), (1, True), (2, True), (3, True)], BreakerState.CLOSED),  # one accident, perhaps
        ([(0, True), (40, True)], BreakerState.CLOSED),
        ([(0, True), (40, True), (41, True)], BreakerState.OPEN),
        ([(0, True), (1, True), (2, True), (3600, True)], BreakerState.OPEN),
        ([(0, True), (20, None), (40, True), (60, None), (80, True)], BreakerState.OPEN),
        ([(0, True), (40, True), (50, False), (60, True), (120, True)], BreakerState.CLOSED),
        ([(0, True), (40, True), (50, False), (60, True), (120, True), (121, True)], BreakerState.OPEN),
    ],
)
def test_where_little_is_asked_it_opens_when_nothing_was_answered_for_a_while(
    ends: list[tuple[float, bool | None]], state: BreakerState
) -> None:
    """Ten failures in half a minute never come there, and each question would wait for its timeout."""
    breaker = Breaker(BreakerOptions())
    for now, failed in ends:
        breaker.leave(now, failed=failed, probe=breaker.enter(now))
    assert breaker.state is state


def test_probes_that_nobody_answers_take_at_most_half_of_the_time() -> None:
    """Until one has waited for two minutes. Each waits twice as long, so that a provider that has become slow
    is found well in the end."""
    breaker, now, waits = Breaker(BreakerOptions(minimum=1)), 0.0, list[float]()
    breaker.leave(now, failed=True, probe=False)
    for _ in range(5):
        pause = breaker.delay(now)
        now += pause
        assert breaker.delay(now) == 0
        probe, patience = breaker.enter(now), breaker.patience
        waits += [pause, patience]
        now += patience
        breaker.leave(now, failed=True, probe=probe)
    assert waits == [15, 15, 15, 30, 30, 60, 60, 120, 120, 240]
    now += breaker.delay(now)
    assert breaker.delay(now) == 0
    breaker.leave(now + 200, failed=False, probe=breaker.enter(now))
    assert breaker.patience == 15


def probes(breaker: Breaker, until: float, refusal: LastingRefusal | None) -> list[float]:
    """When it probes, all probes being refused so."""
    times, now = list[float](), 0.0
    while (now := now + breaker.delay(now)) < until:
        assert breaker.delay(now) == 0
        breaker.leave(now, failed=True, probe=breaker.enter(now), refusal=refusal)
        times.append(now)
    return times


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        (LastingRefusal(BreakerReason.RATE_LIMITED, 3600), None, [120, 360, 840, 1740, 2640, 3540]),
        (LastingRefusal(BreakerReason.OVERLOADED, 86_400), None, [120, 360, 840, 1740, 2640, 3540]),
        (
            LastingRefusal(BreakerReason.RATE_LIMITED, 150),
            LastingRefusal(BreakerReason.RATE_LIMITED, 150),
            [120, 270, 420],
        ),
        (LastingRefusal(BreakerReason.QUOTA), LastingRefusal(BreakerReason.QUOTA), [15, 45, 105, 225, 345]),
    ],
    ids=["an hour", "a day", "150 s, again and again", "no credit"],
)
def test_probes_that_fail_double_the_interval_up_to_a_bound(
    first: LastingRefusal, again: LastingRefusal | None, expected: list[float]
) -> None:
    """A pause is kept up to two minutes at first, and up to a quarter of an hour in the end."""
    breaker = Breaker(BreakerOptions())
    breaker.leave(0.0, failed=False, probe=breaker.enter(0.0), refusal=first)
    assert probes(breaker, expected[-1] + 1, again) == expected


def test_the_first_words_of_a_probe_close_it_where_all_were_refused() -> None:
    """Nobody waits for the end of a long answer to learn that the provider answers."""
    breaker = Breaker(BreakerOptions())
    breaker.leave(0.0, failed=False, probe=False, refusal=LastingRefusal(BreakerReason.QUOTA))
    assert breaker.delay(15.0) == 0
    probe = breaker.enter(15.0)
    breaker.first_words()
    assert breaker.delay(16.0) == 0
    breaker.leave(20.0, failed=True, probe=probe)
    assert breaker.state is BreakerState.CLOSED


def test_an_answer_that_crosses_the_refusal_shortens_nothing() -> None:
    """Requests that were sent together are refused together, with different waits perhaps."""
    breaker = Breaker(BreakerOptions())
    breaker.leave(0.0, failed=False, probe=False, refusal=LastingRefusal(BreakerReason.RATE_LIMITED, 3600))
    breaker.leave(0.1, failed=False, probe=False, refusal=LastingRefusal(BreakerReason.RATE_LIMITED, 121))
    breaker.leave(0.2, failed=False, probe=False)
    assert breaker.pause_left(1.0) == 3599
    assert breaker.delay(1.0) == pytest.approx(119.1)


refusals = st.builds(
    LastingRefusal,
    st.sampled_from([reason for reason in BreakerReason if reason is not BreakerReason.FAILURES]),
    st.none() | st.floats(0, 90_000),
)
ends = st.tuples(
    st.sampled_from([True, None]),  # whether it failed, which a probe that was stopped does not tell
    st.none() | refusals,
    st.floats(0, 400),  # seconds that it took
)


@given(refusals, st.lists(ends, max_size=30))
def test_there_is_one_probe_in_an_interval_and_one_comes_in_time(
    first: LastingRefusal, script: list[tuple[bool | None, LastingRefusal | None, float]]
) -> None:
    """However probes end and however long they take, until one is answered."""
    options, now = BreakerOptions(), 0.0
    breaker = Breaker(options)
    breaker.leave(now, failed=False, probe=breaker.enter(now), refusal=first)
    for failed, refusal, seconds in script:
        wait = breaker.delay(now)
        assert wait <= options.longest_interval + 1e-6
        assert breaker.delay(now + wait / 2) > 0 or not wait
        now += wait + 1e-6
        assert breaker.delay(now) == 0
        probe = breaker.enter(now)
        assert probe
        assert breaker.delay(now) >= 1 - 1e-6
        assert breaker.delay(now + seconds) > 0
        now += seconds
        breaker.leave(now, failed=failed, probe=probe, refusal=refusal)
        assert breaker.state is not BreakerState.CLOSED
