"""What a provider's headers say of its rate limits, and of how long to wait after a refusal.

Everything that a header can hold is turned into bounded numbers here; what makes no sense counts as not said.
"""

import re

import httpx

from discordianai.providers.json_values import MOST
from discordianai.records import Quota, RateLimits
from discordianai.waits import LONGEST_WAIT, duration, longer, named_wait, now_of

MINUTE, HOUR = 60.0, 3600.0

_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


def rate_limits(headers: httpx.Headers) -> RateLimits | None:
    """The quotas of requests and tokens; None where the headers say nothing that can be understood.

    OpenAI tells those of a minute in headers with suffixes, Perplexity that of a second in headers without.
    """
    requests, tokens = _of_a_minute(headers, "requests"), _of_a_minute(headers, "tokens")
    if requests is not None and _is_for_a_day(requests):
        requests = None
    limits = RateLimits(requests, tokens, _of_a_second(headers))
    return limits if limits != RateLimits() else None


def retry_after(response: httpx.Response, told: float | None = None) -> float | None:
    """Seconds to wait after a refusal, up to `LONGEST_WAIT`; None where it doesn't say. `told` is what its
    body says.

    `retry-after-ms` is the most exact. `Retry-After` has seconds or a date, which is held against the
    response's own `Date`, so that neither clock has to be right; of several, the longest counts. Without
    any, a 429 tells when the quota is there again that it has used up.
    """
    headers, now = response.headers, now_of(response.headers)
    exact = named_wait(headers.get("retry-after-ms"), now, 1e-3)
    named = longer(exact, named_wait(headers.get("retry-after"), now))
    if waits := [wait for wait in (named, told) if wait is not None]:
        return max(waits)
    return _until_quota(headers) if response.status_code == httpx.codes.TOO_MANY_REQUESTS else None


def seconds(written: str) -> float | None:
    """A duration in seconds, if it is one."""
    told = duration(written)
    return None if told is None else min(told, float(MOST))


def _until_quota(headers: httpx.Headers) -> float | None:
    """Seconds until a used up quota has something again, by the headers of a refusal."""
    if _number(headers, "x-ratelimit-remaining") == 0:
        # The next second at Perplexity; others mean a minute, or a day.
        wait = named_wait(headers.get("x-ratelimit-reset"), now_of(headers))
        if wait is not None:
            return wait
    quotas = [_of_a_minute(headers, of) for of in ("requests", "tokens")]
    waits = [_until_some(quota) for quota in quotas if quota is not None and not quota.remaining]
    return max(waits, default=None)


def _until_some(quota: Quota) -> float:
    """A minute's quota is whole after a minute; a day's has one request after its part of the day."""
    wait = quota.reset / quota.limit if _is_for_a_day(quota) else min(quota.reset, MINUTE)
    return min(wait, LONGEST_WAIT)


def _of_a_minute(headers: httpx.Headers, of: str) -> Quota | None:
    return _quota(headers, f"-{of}", seconds(headers.get(f"x-ratelimit-reset-{of}", "")))


def _of_a_second(headers: httpx.Headers) -> Quota | None:
    """`reset` is in seconds since the epoch there: the next second."""
    at = _number(headers, "x-ratelimit-reset")
    return _quota(headers, "", None if at is None else min(max(at - now_of(headers), 0.0), 1.0))


def _quota(headers: httpx.Headers, suffix: str, reset: float | None) -> Quota | None:
    limit = _number(headers, f"x-ratelimit-limit{suffix}")
    remaining = _number(headers, f"x-ratelimit-remaining{suffix}")
    if not limit or remaining is None or reset is None:
        return None
    return Quota(limit, min(remaining, limit), reset)


def _number(headers: httpx.Headers, name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if _NUMBER.fullmatch(value) else None


def _is_for_a_day(quota: Quota) -> bool:
    """Small accounts have a limit of requests a day in the same headers: it tells nothing about a minute.

    `reset` is when what was used will have come back, which gives away how long all of it would take.
    """
    used = quota.limit - quota.remaining
    return used > 0 and quota.reset * quota.limit / used > HOUR
