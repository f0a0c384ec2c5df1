"""What a person reads of a question that is not sent."""

import pytest

from discordianai.dispatch.breaker import BreakerReason
from discordianai.dispatch.refusals import BreakerOpen, duration
from tests.known_providers import OPENAI


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1.0, "1 second"),
        (0.2, "1 second"),
        (59.1, "60 seconds"),
        (119.9, "120 seconds"),
        (120.0, "2 minutes"),
        (3599.0, "60 minutes"),
        (7200.0, "2 hours"),
        (86_400.0, "24 hours"),
        (1e167, "over 100 hours"),
        (float("inf"), "over 100 hours"),
        (float("-inf"), "1 second"),
        (float("nan"), "over 100 hours"),
    ],
)
def test_a_time_is_told_in_a_unit_that_fits(seconds: float, words: str) -> None:
    """Never rounded down, so that nobody comes too early; and for any number."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (BreakerReason.FAILURES, "OpenAI is having trouble right now. Please try again in 2 minutes."),
        (BreakerReason.OVERLOADED, "OpenAI is having trouble right now. Please try again in 2 minutes."),
        (
            BreakerReason.RATE_LIMITED,
            "OpenAI is getting more questions than it allows. Please try again in 2 minutes.",
        ),
        (
            BreakerReason.QUOTA,
            "This bot's account with OpenAI has no credit left. The bot's operator needs to top it up.",
        ),
        (
            BreakerReason.AUTHENTICATION,
            "OpenAI doesn't accept this bot's API key. The bot's operator needs to fix that.",
        ),
    ],
)
def test_an_open_breaker_is_told_by_what_happened_and_what_to_do(
    reason: BreakerReason, sentence: str
) -> None:
    """Trying again helps where the provider may be well then, and is not advised elsewhere."""
    assert BreakerOpen(OPENAI, "open", 120.0, reason).for_person == sentence
