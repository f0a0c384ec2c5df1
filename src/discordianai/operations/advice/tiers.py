"""What an account with Perplexity may send, by its tier; as its page on tiers says in November 2026.

OpenAI tells its limits with each answer, and has renamed its tiers several times: there is no table for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from discordianai.operations.advice.recommendation import Recommendation, Use, percent
from discordianai.records import Dialect

LONG_WAIT = 1.0
"""Seconds that one in a hundred may have to wait in the queue."""

FEW = 20
"""Questions that say something about how long they wait."""


@dataclass(frozen=True, slots=True)
class Tier:
    """An account that has bought for so many `dollars` in all its time."""

    number: int
    dollars: int
    per_second: int
    per_minute: int


TIERS = (
    Tier(0, 0, 1, 50),
    Tier(1, 50, 3, 150),
    Tier(2, 250, 8, 500),
    Tier(3, 500, 17, 1000),
    Tier(4, 1000, 33, 2000),
)


def tier(use: Use) -> Iterator[Recommendation]:
    """Questions wait for the requests that the tier allows."""
    dispatch = use.figures.dispatch
    limit, left = dispatch.requests_limit, dispatch.requests_left
    higher = [each for each in TIERS if each.per_minute > limit]
    if use.figures.dialect != Dialect.AGENT or not higher or left >= limit / 2:
        return
    refused = use.grown(lambda figures: figures.dispatch.rate_limited)
    waited = use.latency(lambda figures: figures.dispatch.waited)
    if refused or waited.count < FEW or waited.p99 < LONG_WAIT:
        return
    wanted = higher[0]
    yield Recommendation(
        f"A higher tier of the account with {use.label} would shorten the queue",
        f"One in a hundred waited {waited.p99:.1f} s or longer; {percent(left, limit)} of {limit:.0f}"
        " requests a minute are left now.",
        f"Tier {wanted.number}, from ${wanted.dollars} of purchases in all, allows {wanted.per_second}"
        f" requests a second and {wanted.per_minute} a minute.",
        (
            use.change("rate_limits", "requests_per_minute", wanted.per_minute),
            use.change("rate_limits", "burst", wanted.per_second),
        ),
    )
