"""Windows belong to one person each; those of channels hold for all who write there."""

from collections.abc import Callable

import pytest

from discordianai.discord.interactions.activity_limits import (
    CHANNEL_REFUSALS_IN,
    MOST_CHANNELS,
    REFUSALS_IN,
    REFUSED_WITHIN,
    ActivityLimits,
)
from discordianai.records import Person
from tests.discord.builders import origin


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_refusals_are_said_once_a_minute_to_each_person() -> None:
    clock = Clock()
    limits = ActivityLimits(clock)
    assert limits.refusal_due(1, 7) == 0.0
    assert limits.refusal_due(1, 8) is None
    assert limits.refusal_due(2, 8) == 0.0
    clock.now = CHANNEL_REFUSALS_IN
    assert limits.refusal_due(1, 7) is None
    assert limits.refusal_due(3, 7) == 0.0
    clock.now = REFUSALS_IN
    assert limits.refusal_due(1, 7) == 0.0


def test_refusals_of_several_people_in_one_channel_are_due_one_after_the_other() -> None:
    """One that would be due too late is not said, and does not count for its person."""
    clock = Clock()
    limits = ActivityLimits(clock)
    last = int(REFUSED_WITHIN / CHANNEL_REFUSALS_IN)
    due = [limits.refusal_due(person, 7) for person in range(last + 2)]
    assert due == [*(number * CHANNEL_REFUSALS_IN for number in range(last + 1)), None]
    assert limits.refusal_due(last + 1, 8) == 0.0
    assert limits.refusal_due(last + 1, 7) is None
    clock.now = REFUSALS_IN + REFUSED_WITHIN
    assert limits.refusal_due(0, 7) == 0.0


def test_channels_are_forgotten_once_they_take_refusals_again() -> None:
    clock = Clock()
    limits = ActivityLimits(clock)
    for number in range(3 * MOST_CHANNELS):
        clock.now = float(number)
        assert limits.refusal_due(number, number) == 0.0
    assert len(limits._next_refusal) <= MOST_CHANNELS


@pytest.mark.parametrize(
    "refused",
    [
        lambda limits, where: limits.count_command(where) is not None,
        lambda limits, where: limits.count_form(where) is not None,
        lambda limits, where: limits.count_press(where) is not None,
        lambda limits, where: not limits.count_suggestion(where),
        lambda limits, where: not limits.count_stop(where, 5),
    ],
    ids=["commands", "forms", "presses", "suggestions", "stops"],
)
def test_one_persons_haste_is_nobody_elses(refused: Callable[[ActivityLimits, object], bool]) -> None:
    """It is over after the window."""
    clock = Clock()
    limits = ActivityLimits(clock)
    tried = [refused(limits, origin()) for _ in range(100)]
    assert not tried[0]
    assert tried[-1]
    assert not refused(limits, origin(person=Person(11, "Bob")))
    clock.now = 60.0
    assert not refused(limits, origin())
