"""The providers' headers about their limits, as they come and as they should not."""

import time
from email.utils import formatdate

import httpx
import pytest

from discordianai.providers.limits import rate_limits, retry_after, seconds
from discordianai.records import Quota, RateLimits
from discordianai.waits import LONGEST_WAIT


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3s", 3723.0), ("59.5s", 59.5), ("2m", 120.0)],
)
def test_durations_as_openai_writes_them(written: str, meant: float) -> None:
    assert seconds(written) == pytest.approx(meant)


@pytest.mark.parametrize("nonsense", ["", "soon", "1", "-1s", "s", "1d"])
def test_what_is_no_duration_is_none(nonsense: str) -> None:
    assert seconds(nonsense) is None


def headers(of: str, limit: str, remaining: str, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": limit,
        f"x-ratelimit-remaining-{of}": remaining,
        f"x-ratelimit-reset-{of}": reset,
    }


def test_both_quotas_are_read() -> None:
    both = headers("requests", "500", "499", "120ms") | headers("tokens", "200000", "0", "6m0s")
    expected = RateLimits(Quota(500, 499, 0.12), Quota(200_000, 0, 360.0))
    assert rate_limits(httpx.Headers(both)) == expected


def test_a_limit_of_requests_a_day_is_not_taken_for_one_a_minute() -> None:
    tokens = headers("tokens", "60000", "59000", "1s")
    a_day = headers("requests", "200", "199", "7m12s") | tokens
    assert rate_limits(httpx.Headers(a_day)) == RateLimits(None, Quota(60_000, 59_000, 1.0))
    a_minute = headers("requests", "200", "199", "300ms")
    assert rate_limits(httpx.Headers(a_minute)) == RateLimits(Quota(200, 199, 0.3))


@pytest.mark.parametrize(
    "wrong", [("none", "1", "1s"), ("0", "0", "1s"), ("10", "-1", "1s"), ("10", "1", "?")]
)
def test_what_makes_no_sense_is_left_out(wrong: tuple[str, str, str]) -> None:
    assert rate_limits(httpx.Headers(headers("requests", *wrong))) is None
    assert rate_limits(httpx.Headers({})) is None


def test_perplexitys_limit_of_a_second_is_read() -> None:
    """Without suffix, with the next second since the epoch as its reset."""
    now = int(time.time())
    told = {"x-ratelimit-limit": "3", "x-ratelimit-remaining": "0", "x-ratelimit-used": "3"}
    limits = rate_limits(httpx.Headers(told | {"x-ratelimit-reset": str(now + 1)}))
    assert limits is not None
    quota = limits.requests_per_second
    assert quota is not None
    assert (quota.limit, quota.remaining) == (3, 0)
    assert 0 <= quota.reset <= 1
    assert limits.requests is None
    far = rate_limits(httpx.Headers(told | {"x-ratelimit-reset": str(now + 86_400)}))
    assert far is not None
    assert far.requests_per_second is not None
    assert far.requests_per_second.reset == 1.0


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "٣", "1e3", "0x1", "inf"])
def test_what_is_no_plain_number_of_a_sensible_size_is_left_out(number: str) -> None:
    assert (
        rate_limits(
            httpx.Headers({k.encode(): v.encode() for k, v in headers("tokens", number, "1", "1s").items()})
        )
        is None
    )
    assert seconds(f"{'9' * 400}s") is None


def refusal(*told: tuple[str, str], status: int = 429) -> httpx.Response:
    return httpx.Response(status, headers=[(name.encode(), value.encode()) for name, value in told])


NOON = "Wed, 25 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ([("retry-after", "30")], 30.0),
        ([("retry-after", " 2.5 ")], 2.5),
        ([("retry-after", "0")], 0.0),
        ([("retry-after", "31536000")], LONGEST_WAIT),
        ([("retry-after", "9" * 400)], LONGEST_WAIT),
        ([("retry-after", "5"), ("retry-after", "7")], 7.0),
        ([("retry-after", "5, 7")], 7.0),
        ([("retry-after", "3"), ("retry-after-ms", "2500")], 2.5),
        ([("retry-after", "3"), ("retry-after-ms", "soon")], 3.0),
        ([("retry-after", "3600"), ("retry-after-ms", "0")], 3600.0),
        ([("retry-after", "0"), ("retry-after-ms", "7500")], 7.5),
        ([("retry-after", "Wed, 25 Nov 2026 12:01:30 GMT"), ("date", NOON)], 90.0),
        ([("retry-after", "Wednesday, 25-Nov-26 12:01:30 GMT"), ("date", NOON)], 90.0),
        ([("retry-after", "Wed Nov 25 12:01:30 2026"), ("date", NOON)], 90.0),
        ([("retry-after", "Wed, 25 Nov 2026 11:00:00 GMT"), ("date", NOON)], 0.0),
        ([("retry-after", "Fri, 01 Jan 9999 00:00:00 GMT"), ("date", NOON)], LONGEST_WAIT),
        ([("retry-after", "2026-11-25T12:01:30Z"), ("date", NOON)], 90.0),
        ([("retry-after", "1795608090"), ("date", NOON)], 90.0),
        ([("retry-after", "1m30s")], 90.0),
    ],
)
def test_a_wait_is_read_in_each_of_its_forms(told: list[tuple[str, str]], meant: float) -> None:
    """A date counts from the response's own, so that it does not matter which clock is wrong."""
    assert retry_after(refusal(*told)) == pytest.approx(meant)


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "soon",
        "-5",
        "-0.1",
        "NaN",
        "inf",
        "1e3",
        "0x10",
        "٣",
        "5;6",
        "Wed, 31 Feb 2026 12:00:00 GMT",
        "x" * 999,
    ],
)
@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms"])
def test_a_wait_that_makes_no_sense_is_not_told(name: str, nonsense: str) -> None:
    """The usual pauses between tries hold then."""
    assert retry_after(refusal((name, nonsense))) is None


def test_a_date_without_a_usable_one_beside_it_counts_from_this_machines_clock() -> None:
    """Some send no `Date`, or nonsense."""
    soon = formatdate(time.time() + 100, usegmt=True)
    for date in ([], [("date", "yesterday")]):
        wait = retry_after(refusal(("retry-after", soon), *date))
        assert wait == pytest.approx(100, abs=2)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (headers("requests", "500", "0", "120ms"), 0.12),
        (headers("tokens", "200000", "0", "6m0s"), 60.0),
        (headers("tokens", "200000", "0", "9s") | headers("requests", "500", "0", "120ms"), 9.0),
        (headers("requests", "200", "0", "24h0m0s"), 432.0),
        (headers("requests", "500", "499", "120ms"), None),
    ],
    ids=["requests", "tokens", "both", "a day's", "neither"],
)
def test_a_429_without_a_wait_tells_it_by_the_quota_that_is_used_up(
    told: dict[str, str], meant: float | None
) -> None:
    """A minute's quota is whole after a minute; other errors say nothing about quotas."""
    assert retry_after(refusal(*told.items())) == (None if meant is None else pytest.approx(meant))
    assert retry_after(refusal(*told.items(), status=503)) is None


def test_perplexitys_429_without_a_wait_holds_until_its_next_second() -> None:
    """Its reset is in seconds since the epoch, by the clock that wrote the `Date`."""
    told = {"x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795608001"}
    assert retry_after(refusal(*told.items(), ("date", NOON))) == pytest.approx(1.0)
    assert retry_after(refusal(*(told | {"x-ratelimit-remaining": "1"}).items(), ("date", NOON))) is None


@pytest.mark.parametrize(
    ("reset", "meant"),
    [("1795609800", 1800.0), ("1795609800000", 1800.0), ("45", 45.0), ("1795700000000", LONGEST_WAIT)],
    ids=["seconds since the epoch", "milliseconds", "seconds from now", "beyond a day"],
)
def test_the_reset_of_a_used_up_quota_is_read_in_each_of_its_forms(reset: str, meant: float) -> None:
    """Not as the next second, in which others than Perplexity refuse again."""
    told = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    assert retry_after(refusal(*told.items(), ("date", NOON))) == pytest.approx(meant)


def test_a_quota_of_an_absurd_time_holds_for_no_longer_than_a_day() -> None:
    told = headers("requests", "1", "0", "999999999h")
    assert retry_after(refusal(*told.items())) == LONGEST_WAIT


def test_what_the_body_says_counts_as_well() -> None:
    """Before the quota, and not where the headers ask for more."""
    assert retry_after(refusal(), 7.0) == 7.0
    assert retry_after(refusal(("retry-after", "0")), 7.0) == 7.0
    assert retry_after(refusal(("retry-after", "9")), 7.0) == 9.0
    assert retry_after(refusal(*headers("requests", "5", "0", "1s").items()), 7.0) == 7.0
    assert retry_after(refusal(status=503), 7.0) == 7.0
