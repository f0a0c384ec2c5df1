"""What Discord says about starting gateway sessions: `GET /gateway/bot`, and how it is asked for.

When the day's IDENTIFYs are used up, Discord ends every session and resets the token.
"""

from dataclasses import dataclass

import httpx

from discordianai import bounded_http
from discordianai.discord.messages.application_limits import wait_of
from discordianai.discord.messages.rest import DiscordApi, json_of, rejects_token
from discordianai.discord.shard_range import MOST_SHARDS

LONGEST_WAIT = 86_400.0
"""Seconds; the longest of Discord's limits is a day's. A longer wait is cut to this."""

MOST_CONCURRENT = 1_000
"""Buckets of identifies; the largest bots have 64."""

MOST_IDENTIFIES = 1_000_000
"""In a day; the largest bots have some thousands."""

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
    """How many identifies are left, and in how many seconds the limit is reset; both for the whole bot.

    `max_concurrency` shards may identify at the same time, and `shards` is what Discord recommends.
    """

    remaining: int
    resets_in: float
    max_concurrency: int = 1
    shards: int = 1

    @classmethod
    def parse(cls, gateway: object) -> "StartLimit":
        """From the answer to `GET /gateway/bot`. Raises `ValueError` where that is something else."""
        answer = gateway if isinstance(gateway, dict) else {}
        limit = answer.get("session_start_limit")
        if not isinstance(limit, dict):
            raise ValueError("no session_start_limit")
        remaining = limit.get("remaining")
        if not isinstance(remaining, int) or isinstance(remaining, bool):
            raise ValueError("session_start_limit has no remaining")
        return cls(
            min(remaining, MOST_IDENTIFIES),
            bounded_seconds(limit.get("reset_after"), 0.001),
            min(_count(limit.get("max_concurrency")), MOST_CONCURRENT),
            min(_count(answer.get("shards")), MOST_SHARDS),
        )


async def ask_discord(api: DiscordApi) -> StartLimit:
    """What `GET /gateway/bot` says. Raises `ListenerRefused` or `GatewayUnavailable`."""
    if wait := api.limits.held_for:
        raise GatewayUnavailable("Discord accepts no requests from this bot for now", wait)
    try:
        headers = {"Authorization": f"Bot {api.token}"}
        request = api.client.build_request("GET", f"{api.url}/gateway/bot", headers=headers)
        response = await bounded_http.send(api.client, request)
        told = json_of(response)
        api.limits.note(response.status_code, response.headers, told)
        if rejects_token(response):
            raise ListenerRefused(WRONG_TOKEN)
        if not response.is_success:
            named = wait_of(response.headers, told or {})
            retry_after = bounded_seconds(response.headers.get("retry-after")) if named is None else named
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


def _count(value: object) -> int:
    """A number of shards; 1, which is always allowed, where that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1
