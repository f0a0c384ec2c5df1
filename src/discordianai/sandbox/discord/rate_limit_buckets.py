"""Discord's rate limits: a bucket for each route and major parameter, and one for the whole bot."""

import math
from collections.abc import Hashable
from dataclasses import dataclass

from discordianai.sandbox.discord.api_objects import Json


@dataclass(slots=True)
class _Window:
    ends: float
    used: int = 0


class TooManyRequests(Exception):
    """The 429 that a request gets."""

    def __init__(self, retry_after: float, *, everywhere: bool, headers: dict[str, str]) -> None:
        super().__init__("rate limited")
        self.body: Json = {
            "message": "You are being rate limited.",
            "retry_after": round(retry_after, 3),
            "global": everywhere,
        }
        scope = "global" if everywhere else "user"
        self.headers = {**headers, "Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": scope}
        if everywhere:
            self.headers["X-RateLimit-Global"] = "true"


class Buckets:
    """`limit` requests in `period` seconds for each key, in windows that begin with the first request."""

    def __init__(self, limit: int, period: float, name: str) -> None:
        self._limit = limit
        self._period = period
        self._name = name
        self._windows: dict[Hashable, _Window] = {}

    def take(self, key: Hashable, now: float, *, everywhere: bool = False) -> dict[str, str]:
        """Count a request and return the headers that tell about the bucket. Raises `TooManyRequests`.

        The name of the bucket is the same for every key, as Discord has it.
        """
        if len(self._windows) > 10_000:
            self._windows = {k: window for k, window in self._windows.items() if window.ends > now}
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = _Window(now + self._period)
        if window.used >= self._limit:
            headers = self._headers(window, now)
            raise TooManyRequests(window.ends - now, everywhere=everywhere, headers=headers)
        window.used += 1
        return self._headers(window, now)

    def _headers(self, window: _Window, now: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - window.used),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{window.ends - now:.3f}",
            "X-RateLimit-Bucket": self._name,
        }
