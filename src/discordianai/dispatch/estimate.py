"""How many tokens a request will take, before the provider has counted them."""

from discordianai.dispatch.token_estimator import TokenEstimator, of_attached
from discordianai.records import ChatRequest, Usage

FIRST_GUESS = 500.0
"""Tokens of an answer, until some have been seen."""

WEIGHT = 0.05
"""Of the newest answer in the average."""

LONGEST_ANSWER = 16_000
"""Tokens of an answer that count in the average: what is told of one must not make all others seem too long
to be asked for."""


class TokenEstimate:
    """Counts the question, and expects an answer like the last ones."""

    def __init__(self, estimator: TokenEstimator) -> None:
        self._estimator = estimator
        self._answer = FIRST_GUESS

    def of(self, request: ChatRequest) -> float:
        """Tokens of the question and the answer together."""
        return self.of_question(request) + self._answer

    def expected(self, request: ChatRequest) -> Usage:
        """The same, each for itself."""
        return Usage(self.of_question(request), round(self._answer))

    def of_question(self, request: ChatRequest) -> int:
        """Tokens of the question alone."""
        return self._estimator.estimate(request.model, request.texts) + _attached(request)

    def of_text(self, request: ChatRequest, text: str) -> int:
        """Tokens of a part of the answer."""
        return self._estimator.estimate(request.model, [text])

    def learn(self, request: ChatRequest, usage: Usage) -> None:
        """So many it were."""
        self._answer += WEIGHT * (min(usage.output_tokens, LONGEST_ANSWER) - self._answer)
        self._estimator.learn(request.model, request.texts, usage.input_tokens - _attached(request))


def _attached(request: ChatRequest) -> int:
    return sum(of_attached(turn) for turn in request.turns)
