"""What a provider's headers say of its limits per minute."""

import re

import httpx

from discordianai.model import Quota, RateLimits

HOUR = 3600.0

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
"""As OpenAI writes it: 1s, 6m0s, 120ms."""


def rate_limits(headers: httpx.Headers) -> RateLimits | None:
    """The quotas of requests and tokens; None where the headers say nothing that can be understood."""
    requests, tokens = _quota(headers, "requests"), _quota(headers, "tokens")
    if requests is not None and _is_for_a_day(requests):
        requests = None
    return RateLimits(requests, tokens) if requests or tokens else None


def seconds(duration: str) -> float | None:
    """A duration in seconds, if it is one."""
    match = _DURATION.fullmatch(duration.strip())
    if match is None or not any(match.groups()):
        return None
    hours, minutes, whole, thousandths = (float(group or 0) for group in match.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def _quota(headers: httpx.Headers, of: str) -> Quota | None:
    try:
        limit = int(headers[f"x-ratelimit-limit-{of}"])
        remaining = int(headers[f"x-ratelimit-remaining-{of}"])
    except (KeyError, ValueError):
        return None
    reset = seconds(headers.get(f"x-ratelimit-reset-{of}", ""))
    if limit < 1 or remaining < 0 or reset is None:
        return None
    return Quota(limit, remaining, reset)


def _is_for_a_day(quota: Quota) -> bool:
    """Small accounts have a limit of requests a day in the same headers: it tells nothing about a minute.

    `reset` is when what was used will have come back, which gives away how long all of it would take.
    """
    used = quota.limit - quota.remaining
    return used > 0 and quota.reset * quota.limit / used > HOUR
