"""The time of day that a jump of the system clock does not move."""

import pytest
import structlog
from structlog.testing import capture_logs

from discordianai.steady_clock import FURTHEST, TAKEN_OVER_AFTER, SteadyClock
from discordianai.system_clock import EARLIEST, ClockReading

HOUR = 3600.0
YEAR = 365 * 24 * HOUR


@pytest.fixture(autouse=True)
def all_lines() -> None:
    """Those at INFO, too."""
    structlog.reset_defaults()


class Clocks:
    """A system clock that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.since_boot = 1000.0
        self.ahead = 1_000_000.0

    def wait(self, seconds: float) -> None:
        self.since_boot += seconds

    def system(self) -> float:
        return self.since_boot + self.ahead

    def steady(self) -> float:
        return self.since_boot


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 365 * 24 * HOUR])
def test_time_goes_on_through_a_jump_that_is_logged_when_it_begins_and_when_it_ends(jump: float) -> None:
    """And once each, however often somebody asks for the time."""
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    began = clock()
    with capture_logs() as logs:
        clocks.ahead += jump
        for _ in range(5):
            clocks.wait(60)
            assert clock.jump == pytest.approx(jump)
        assert clock() == pytest.approx(began + 300)
        clocks.ahead -= jump
        for _ in range(5):
            clocks.wait(60)
            assert clock.jump == 0
        assert clock() == pytest.approx(began + 600)
    assert [log["event"] for log in logs] == [
        "system clock jumped: new time not used yet",
        "system clock corrected",
    ]
    assert logs[0]["seconds"] == jump


def test_a_new_time_that_lasts_is_taken_over_and_logged_once() -> None:
    """A machine may have booted without the right time."""
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    with capture_logs() as logs:
        clocks.ahead += HOUR
        while clock.jump:
            clocks.wait(60)
        assert clocks.since_boot == pytest.approx(1000 + TAKEN_OVER_AFTER)
        assert clock() == clocks.system()
        clocks.wait(HOUR)
        assert clock() == clocks.system()
    assert [log["event"] for log in logs][1:] == ["system clock's new time now in use"]


@pytest.mark.parametrize("to", [0.0, EARLIEST - YEAR, EARLIEST + FURTHEST + YEAR, EARLIEST + 74 * YEAR])
def test_an_impossible_time_is_never_taken_over(to: float) -> None:
    """1970, or decades ahead: whatever is stored would expire, or never."""
    clocks = Clocks()
    clocks.ahead = EARLIEST + HOUR
    clock = SteadyClock(clocks.system, clocks.steady)
    began, right = clock(), clocks.ahead
    clocks.ahead = to - clocks.since_boot
    for _ in range(10):
        clocks.wait(TAKEN_OVER_AFTER)
        clock()
    assert clock() == pytest.approx(began + 10 * TAKEN_OVER_AFTER)
    assert clock.jump
    clocks.ahead = right
    assert clock() == clocks.system()
    assert not clock.jump


def test_a_machine_that_booted_in_1970_is_right_as_soon_as_its_clock_is() -> None:
    """Not half an hour later: what is said until then would be as old as 1970."""
    clocks = Clocks()
    clocks.ahead = 0.0
    clock = SteadyClock(clocks.system, clocks.steady)
    assert clock() == clocks.system()
    clocks.ahead = EARLIEST + HOUR
    assert clock() == clocks.system()
    assert not clock.jump


def test_the_small_steps_of_a_clock_that_is_corrected_are_followed_without_a_word() -> None:
    """Also when they add up."""
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    with capture_logs() as logs:
        for _ in range(10):
            clocks.ahead += 30
            assert clock() == clocks.system()
    assert logs == []


def test_a_second_jump_is_another_one_that_has_to_last_itself() -> None:
    """A clock that is set again and again is never followed."""
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    began = clock()
    for _ in range(10):
        clocks.ahead += HOUR
        clock()
        clocks.wait(TAKEN_OVER_AFTER / 2)
    assert clock() == pytest.approx(began + 5 * TAKEN_OVER_AFTER)


def test_a_clock_that_is_set_to_and_fro_is_logged_once_in_half_an_hour() -> None:
    """Two programs may set it in turn, every second; neither is followed."""
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    began = clock()
    with capture_logs() as logs:
        for number in range(3600):
            clocks.ahead += HOUR if number % 2 == 0 else -HOUR
            clocks.wait(1)
            clock()
    assert clock() == pytest.approx(began + 3600)
    told = [log["event"] for log in logs if log["log_level"] != "debug"]
    assert told == ["system clock jumped: new time not used yet", "system clock corrected"] * 2


def test_a_clock_that_runs_at_another_speed_is_logged_once_in_half_an_hour() -> None:
    clocks = Clocks()
    clock = SteadyClock(clocks.system, clocks.steady)
    began = clock()
    with capture_logs() as logs:
        for _ in range(3600):
            clocks.ahead += HOUR
            clocks.wait(1)
            clock()
    assert clock() == pytest.approx(began + 3600)
    told = [log["event"] for log in logs if log["log_level"] != "debug"]
    assert told == ["system clock jumped: new time not used yet"] * 2


def test_how_far_a_clock_was_set_is_known_within_a_boot_only() -> None:
    """After another boot, nothing relates the two readings."""
    before = ClockReading("a", 100.0)
    assert before.shift_to(ClockReading("a", 100.0 + HOUR)) == HOUR
    assert before.shift_to(ClockReading("b", 100.0 + HOUR)) == 0
    assert ClockReading("", 100.0).shift_to(ClockReading("", 0.0)) == 0
