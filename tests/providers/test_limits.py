"""The providers' headers about their limits, as they come and as they should not."""

import time

import httpx
import pytest

from discordianai.providers.limits import rate_limits, seconds
from discordianai.records import Quota, RateLimits


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
