"""What a provider's headers say of its rate limits, and of how long to wait after a refusal.

Everything that a header can hold is turned into bounded numbers here; what makes no sense counts as not said.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from discordianai.providers.json_values import MOST
from discordianai.records import Quota, RateLimits

MINUTE, HOUR = 60.0, 3600.0

LONGEST_WAIT = 24 * HOUR
"""Seconds of a wait that can be meant."""

LONGEST_HEADER = 64
"""Characters of a number of seconds or a date; what is longer is neither."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
"""As OpenAI writes it: 1s, 6m0s, 120ms."""

_DECIMAL = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
LONGEST_DURATION = 40
"""Characters; what is longer is none, and would be an infinite number."""


def rate_limits(headers: httpx.Headers) -> RateLimits | None:
    """The quotas of requests and tokens; None where the headers say nothing that can be understood.

    OpenAI tells those of a minute in headers with suffixes, Perplexity that of a second in headers without.
    """
    requests, tokens = _of_a_minute(headers, "requests"), _of_a_minute(headers, "tokens")
    if requests is not None and _is_for_a_day(requests):
        requests = None
    limits = RateLimits(requests, tokens, _of_a_second(headers))
    return limits if limits != RateLimits() else None


def retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait after a refusal, up to `LONGEST_WAIT`; None where its headers don't say.

    `retry-after-ms` is the most exact. `Retry-After` has seconds or a date, which is held against the
    response's own `Date`, so that neither clock has to be right; of several, the longest counts. Without
    either, a 429 tells when the quota is there again that it has used up.
    """
    headers = response.headers
    milliseconds = [_wait(value, 1e-3) for value in _values(headers, "retry-after-ms")]
    named = [_wait(value) for value in _values(headers, "retry-after")]
    named += [_wait_until(value, headers) for value in headers.get_list("retry-after")]
    for waits in (milliseconds, named):
        if told := [wait for wait in waits if wait is not None]:
            return max(told)
    return _until_quota(headers) if response.status_code == httpx.codes.TOO_MANY_REQUESTS else None


def seconds(duration: str) -> float | None:
    """A duration in seconds, if it is one."""
    match = _DURATION.fullmatch(duration.strip()) if len(duration) <= LONGEST_DURATION else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, whole, thousandths = (float(group or 0) for group in match.groups())
    return min(hours * 3600 + minutes * 60 + whole + thousandths / 1000, float(MOST))


def _values(headers: httpx.Headers, name: str) -> Iterator[str]:
    """Each value, also where a proxy has joined several lines by commas."""
    for line in headers.get_list(name):
        yield from line.split(",")


def _wait(value: str, unit: float = 1.0) -> float | None:
    """Seconds that a decimal number of units takes; none for what is negative or not a number."""
    value = value.strip()
    if len(value) > LONGEST_HEADER:
        return LONGEST_WAIT if value.isascii() and value.isdigit() else None
    return min(float(value) * unit, LONGEST_WAIT) if _DECIMAL.fullmatch(value) else None


def _wait_until(value: str, headers: httpx.Headers) -> float | None:
    """Seconds until an HTTP date; 0 for one that has passed."""
    if (until := _timestamp(value)) is None:
        return None
    return min(max(until - _now(headers), 0.0), LONGEST_WAIT)


def _now(headers: httpx.Headers) -> float:
    """The time by the clock that wrote the headers, in seconds since the epoch."""
    told = _timestamp(headers.get("date", ""))
    return time.time() if told is None else told


def _timestamp(date: str) -> float | None:
    """An HTTP date in seconds since the epoch, in any of its three forms."""
    if not any(character.isalpha() for character in date) or len(date) > LONGEST_HEADER:
        return None
    try:
        at = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return _utc(at).timestamp()


def _utc(at: datetime) -> datetime:
    """Dates in HTTP are in GMT, whether they say so or not."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _until_quota(headers: httpx.Headers) -> float | None:
    """Seconds until a used up quota has something again, by the headers of a refusal."""
    if (second := _of_a_second(headers)) is not None and not second.remaining:
        return second.reset
    quotas = [_of_a_minute(headers, of) for of in ("requests", "tokens")]
    waits = [_until_some(quota) for quota in quotas if quota is not None and not quota.remaining]
    return max(waits, default=None)


def _until_some(quota: Quota) -> float:
    """A minute's quota is whole after a minute; a day's has one request after its part of the day."""
    return quota.reset / quota.limit if _is_for_a_day(quota) else min(quota.reset, MINUTE)


def _of_a_minute(headers: httpx.Headers, of: str) -> Quota | None:
    return _quota(headers, f"-{of}", seconds(headers.get(f"x-ratelimit-reset-{of}", "")))


def _of_a_second(headers: httpx.Headers) -> Quota | None:
    """`reset` is in seconds since the epoch there: the next second."""
    at = _number(headers, "x-ratelimit-reset")
    return _quota(headers, "", None if at is None else min(max(at - _now(headers), 0.0), 1.0))


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
