"""A wait is understood in whatever form it comes, and is a bounded number of seconds or none."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.waits import LONGEST_WAIT, duration, named_wait, now_of, timestamp

NOON = 1_795_608_000.0
"""25 November 2026, 12:00:00 GMT."""


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("30", 30.0),
        (" 2.5 ", 2.5),
        (".5", 0.5),
        ("00007", 7.0),
        (30, 30.0),
        (0.25, 0.25),
        ("20s", 20.0),
        ("1m30s", 90.0),
        ("250ms", 0.25),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90.0),
        ("Wed, 25 Nov 2026 13:01:30 +0100", 90.0),
        ("Wednesday, 25-Nov-26 12:01:30 GMT", 90.0),
        ("Wed Nov 25 12:01:30 2026", 90.0),
        ("2026-11-25T12:01:30Z", 90.0),
        ("2026-11-25T13:01:30.500+01:00", 90.5),
        ("2026-11-25 12:01:30", 90.0),
        ("1795608090", 90.0),
        (1_795_608_090, 90.0),
        ("1795608090000", 90.0),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0.0),
        ("1795607000", 0.0),
    ],
)
def test_a_wait_is_understood_as_seconds_as_a_duration_and_as_a_time(told: object, meant: float) -> None:
    assert named_wait(told, NOON) == pytest.approx(meant)


@pytest.mark.parametrize(
    "told",
    [
        "31536000",
        "9999999999",
        "9" * 400,
        10**400,
        1e300,
        "9" * 64,
        "Fri, 01 Jan 9999 00:00:00 GMT",
        "99999h",
    ],
)
def test_no_wait_is_longer_than_a_day(told: object) -> None:
    assert named_wait(told, NOON) == LONGEST_WAIT


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("5, 7", 7.0),
        ("7,5", 7.0),
        ("soon, 5", 5.0),
        ("60, Wed, 25 Nov 2026 12:01:30 GMT", 90.0),
        ("Wed, 25 Nov 2026 12:01:30 GMT, Wed, 25 Nov 2026 12:03:00 GMT", 180.0),
        (", ,", None),
    ],
)
def test_of_several_waits_in_one_field_the_longest_counts(told: str, meant: float | None) -> None:
    assert named_wait(told, NOON) == meant


NONSENSE = ("", "soon", "-5", "-0.1", -1, "NaN", "inf", math.inf, math.nan, "1e3", "0x10", "٣", "5;6", True)
NO_DATES = ("2026-02-31T00:00:00Z", "Wed, 31 Feb 2026 12:00:00 GMT", "x" * 9999, "-5s")


@pytest.mark.parametrize("told", [*NONSENSE, *NO_DATES, None, [5], {"seconds": 5}])
def test_what_makes_no_sense_counts_as_not_said(told: object) -> None:
    assert named_wait(told, NOON) is None


def test_a_number_counts_in_its_unit() -> None:
    assert named_wait("2500", NOON, 1e-3) == 2.5
    assert named_wait(2500, NOON, 1e-3) == 2.5
    assert named_wait("2s", NOON, 1e-3) == 2.0


def test_a_date_that_is_none_gives_this_machines_time() -> None:
    assert now_of({"date": "Wed, 25 Nov 2026 12:00:00 GMT"}) == NOON
    assert now_of({"date": "yesterday"}) == pytest.approx(time.time(), abs=5)
    assert now_of({}) == pytest.approx(time.time(), abs=5)


PIECES = st.sampled_from(
    [*"0123456789.,:-+TZhms ", "Wed", "Nov", "GMT", "2026", "-", "e", "inf", "\N{NKO DIGIT ONE}"]
)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=80))
def test_whatever_a_field_holds_gives_a_bounded_number_or_none(field: str) -> None:
    for wait in (named_wait(field, NOON), named_wait(field, NOON, 1e-3)):
        assert wait is None or 0.0 <= wait <= LONGEST_WAIT
    for number in (timestamp(field), duration(field)):
        assert number is None or math.isfinite(number)


def test_a_clock_that_was_never_set_is_not_believed() -> None:
    """A proxy without one says 1970, by which a time of today would be decades away."""
    assert abs(now_of({"date": "Thu, 01 Jan 1970 00:00:00 GMT"}) - time.time()) < 5.0
