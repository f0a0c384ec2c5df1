"""What a request will take is learned from what was reported, and no report can spoil it."""

from discordianai.dispatch.token_estimator import RequestEstimator, TokenEstimator
from discordianai.providers.usage_report import MOST_TOKENS
from discordianai.records import ChatRequest, Role, Turn, Usage


def test_reports_without_sense_make_no_question_too_long_for_a_minute() -> None:
    """A million tokens of one answer, and all later ones would be refused until the next start."""
    estimate = RequestEstimator(TokenEstimator())
    request = ChatRequest("a-model", (Turn(Role.USER, "why?"),))
    for _ in range(100):
        estimate.learn(request, Usage(MOST_TOKENS, MOST_TOKENS))
    assert estimate.tokens(request) < 30_000
