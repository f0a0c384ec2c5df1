"""How many tokens a request will take, before the provider has counted them."""

from discordianai.conversations.tokens import TOKENS_PER_TURN, guess
from discordianai.model import ChatRequest

FIRST_GUESS = 500.0
"""Tokens of an answer, until some have been seen."""

WEIGHT = 0.1
MARGIN = 1.2
"""A provider charges when it admits a request: the estimate errs on the high side until it is settled."""


class TokenEstimate:
    """Counts the question, and expects an answer like the last ones."""

    def __init__(self) -> None:
        self._answer = FIRST_GUESS

    def of(self, request: ChatRequest) -> float:
        """Tokens of the question and the answer together."""
        texts = [request.instructions, *(turn.text for turn in request.turns)]
        question = sum(guess(text) + TOKENS_PER_TURN for text in texts)
        return MARGIN * (question + self._answer)

    def learn(self, output_tokens: int) -> None:
        """An answer took so many."""
        self._answer += WEIGHT * (output_tokens - self._answer)
