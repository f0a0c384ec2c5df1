"""What a provider's headers say of its rate limits."""

import re
import time

import httpx

from discordianai.providers.json_values import MOST
from discordianai.records import Quota, RateLimits

HOUR = 3600.0

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII)
"""As OpenAI writes it: 1s, 6m0s, 120ms."""

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


def seconds(duration: str) -> float | None:
    """A duration in seconds, if it is one."""
    match = _DURATION.fullmatch(duration.strip()) if len(duration) <= LONGEST_DURATION else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, whole, thousandths = (float(group or 0) for group in match.groups())
    return min(hours * 3600 + minutes * 60 + whole + thousandths / 1000, float(MOST))


def _of_a_minute(headers: httpx.Headers, of: str) -> Quota | None:
    return _quota(headers, f"-{of}", seconds(headers.get(f"x-ratelimit-reset-{of}", "")))


def _of_a_second(headers: httpx.Headers) -> Quota | None:
    """`reset` is in seconds since the epoch there: the next second."""
    at = _number(headers, "x-ratelimit-reset")
    return _quota(headers, "", None if at is None else min(max(at - time.time(), 0.0), 1.0))


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
