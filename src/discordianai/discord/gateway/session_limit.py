"""Discord lets a bot identify about a thousand times a day, and once in five seconds.

When the day's IDENTIFYs are used up, Discord ends every session and resets the token, so the last ones are
kept. Every IDENTIFY that is sent counts, whatever the answer.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from discordianai import bounded_http
from discordianai.discord.messages.rest import DiscordApi, json_of

HEALTHY_AFTER = 120.0
"""Seconds that a connection must have lasted for its loss to count as the first failure again."""

JITTER = 0.25
"""The largest fraction added to a gap at random, so that many bots do not return at the same moment."""


class Backoff:
    """Tries are `least` seconds apart after a success; after failures `step`, twice that, up to `longest`.

    Gaps are measured from the beginning of one try to that of the next. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        least: float,
        step: float,
        longest: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._least, self._step, self._longest = least, step, longest
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, protects nothing
        self._begun = self._earliest = -float("inf")
        self._established: float | None = None
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many tries in a row have failed, or succeeded only briefly."""
        return self._failures

    def delay(self) -> float:
        """Seconds until the next try may begin."""
        return max(self._earliest - self._clock(), 0.0)

    def begin(self) -> None:
        """A try begins."""
        self._begun = self._clock()
        self._earliest = self._begun + self._least

    def establish(self) -> None:
        """The try has succeeded. `lose` judges by how long that has lasted."""
        self._established = self._clock()

    def lose(self, extra: float = 0.0) -> None:
        """The try has failed, or its connection is lost. The next one waits `extra` seconds longer."""
        now = self._clock()
        lasted = now - self._established if self._established is not None else 0.0
        self._established = None
        self._failures = 0 if lasted >= HEALTHY_AFTER else self._failures + 1
        self._earliest = max(self._begun + self._gap(), now) + extra

    def hold(self, seconds: float) -> None:
        """Do not begin the next try within so many seconds."""
        self._earliest = max(self._earliest, self._clock() + seconds)

    def _gap(self) -> float:
        if not self._failures:
            return self._least
        gap = min(self._step * 2.0 ** min(self._failures - 1, 16), self._longest)
        return gap * (1.0 + self._chance.uniform(0.0, JITTER))


RESERVE = 50
"""Identifies that are never used."""

LEAST_GAP = 5.0
"""Seconds between two identifies; Discord's own, for one shard."""

LONGEST_GAP = 120.0
"""Seconds. So few identifies a day, 720, that no lasting fault uses up the day's thousand."""

INVALID_SESSION_PAUSE = (1.0, 5.0)
"""Seconds, from and to: after op 9 Discord wants a random pause between these."""

LONGEST_WAIT = 86_400.0
"""Seconds; the longest of Discord's limits is a day's. A longer wait is cut to this."""

WRONG_TOKEN = "Discord rejected the bot's token: set DISCORD_TOKEN to a valid one"  # noqa: S105  # a sentence


class ListenerRefused(Exception):
    """Discord will not accept this bot until its operator changes something. The text says what."""


class GatewayUnavailable(Exception):
    """Discord did not say how many identifies are left; a try after `retry_after` seconds may succeed."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SessionEnded(Exception):
    """A gateway session is over, or never began. The text says why, in words of our own.

    `invalid`: Discord has said so with op 9, and wants a pause before the next one.
    """

    def __init__(self, reason: str, *, invalid: bool = False) -> None:
        super().__init__(reason)
        self.invalid = invalid


@dataclass(frozen=True, slots=True)
class StartLimit:
    """How many identifies are left, and in how many seconds the limit is reset."""

    remaining: int
    resets_in: float

    @classmethod
    def parse(cls, gateway: object) -> "StartLimit":
        """From the answer to `GET /gateway/bot`. Raises `ValueError` where that is something else."""
        limit = gateway.get("session_start_limit") if isinstance(gateway, dict) else None
        if not isinstance(limit, dict):
            raise ValueError("no session_start_limit")
        remaining = limit.get("remaining")
        if not isinstance(remaining, int) or isinstance(remaining, bool):
            raise ValueError("session_start_limit has no remaining")
        return cls(remaining, bounded_seconds(limit.get("reset_after"), 0.001))


class IdentifyPacer:
    """Paces and counts the starts of sessions; outlives the listeners.

    While a listener runs, its thread alone uses this, and otherwise the supervisor's.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, chance: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311  # spreads load, protects nothing
        self.backoff = Backoff(LEAST_GAP, LEAST_GAP, LONGEST_GAP, clock=clock, chance=self._chance)
        self._left: int | None = None
        self._resets_at = -math.inf

    @property
    def left(self) -> int | None:
        """How many identifies Discord allows until its limit is reset; None before it has been asked."""
        return self._left

    def allow(self, limit: StartLimit) -> float:
        """Seconds until the next session may begin, as far as the day's limit goes.

        Discord's figure counts, but within one period never more than was left before.
        """
        now = self._clock()
        known = self._left if self._left is not None and now < self._resets_at else limit.remaining
        self._left = min(known, limit.remaining)
        self._resets_at = now + limit.resets_in
        return max(limit.resets_in, LEAST_GAP) if self._left <= RESERVE else 0.0

    def note_identify(self) -> None:
        """An IDENTIFY is about to be sent."""
        self.backoff.begin()
        if self._left is not None:
            self._left -= 1

    def lose(self, failure: Exception) -> None:
        """The session is over, or has not begun; `failure` decides how long the next one waits."""
        invalid = isinstance(failure, SessionEnded) and failure.invalid
        self.backoff.lose(self._chance.uniform(*INVALID_SESSION_PAUSE) if invalid else 0.0)
        if isinstance(failure, GatewayUnavailable):
            self.backoff.hold(failure.retry_after)


async def ask_discord(api: DiscordApi) -> StartLimit:
    """What `GET /gateway/bot` says. Raises `ListenerRefused` or `GatewayUnavailable`."""
    if wait := api.limits.held_for:
        raise GatewayUnavailable("Discord accepts no requests from this bot for now", wait)
    try:
        headers = {"Authorization": f"Bot {api.token}"}
        request = api.client.build_request("GET", f"{api.url}/gateway/bot", headers=headers)
        response = await bounded_http.send(api.client, request)
        api.limits.note(response.status_code, response.headers, json_of(response))
        if response.status_code == 401:
            raise ListenerRefused(WRONG_TOKEN)
        if not response.is_success:
            retry_after = bounded_seconds(response.headers.get("retry-after"))
            raise GatewayUnavailable(f"GET /gateway/bot was answered {response.status_code}", retry_after)
        return StartLimit.parse(response.json())
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        # Without the error's text, which may carry an address.
        why = "; `discordianai check --online` says why" if isinstance(error, httpx.TransportError) else ""
        raise GatewayUnavailable(f"GET /gateway/bot failed: {type(error).__name__}{why}") from error


def bounded_seconds(value: object, unit: float = 1.0) -> float:
    """Seconds that Discord gave as a number of `unit`s, at most `LONGEST_WAIT`; 0 where that is no time."""
    try:
        seconds = float(str(value)) * unit
    except ValueError:
        return 0.0
    return min(seconds, LONGEST_WAIT) if seconds > 0.0 else 0.0  # NaN is not
