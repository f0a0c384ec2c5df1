"""How many tokens a text or a request will take, without a vocabulary, corrected by what providers report.

The first guess goes by the first byte of each UTF-8 character, which tells scripts apart well enough and is
counted at C speed. It is then multiplied by a ratio for each model: what the provider counted over what was
guessed, averaged so that recent answers weigh more.
"""

from collections import OrderedDict
from collections.abc import Iterable

from discordianai.records import ChatRequest, Turn, Usage

_ASCII = bytes(range(0x80))
_TWO_BYTES = bytes(range(0xC2, 0xE0))
_INDIC = bytes((0xE0, 0xE1))
_SYMBOLS = bytes((0xE2,))
_EAST_ASIAN = bytes(range(0xE3, 0xF0))
_FOUR_BYTES = bytes(range(0xF0, 0xF5))

TOKENS_PER_CHARACTER = (
    (_ASCII, 1 / 3.8),  # English prose has 4 to 4.5 characters a token, code and numbers 3
    (_TWO_BYTES, 1 / 2.2),  # accented Latin, Cyrillic, Greek, Hebrew, Arabic
    (_INDIC, 0.6),  # Indic scripts, Thai, Georgian
    (_SYMBOLS, 0.8),  # dashes and quotation marks, arrows, box drawing
    (_EAST_ASIAN, 0.9),  # Chinese, Japanese, Korean
    (_FOUR_BYTES, 2.0),  # emoji, rare Chinese characters
)
"""Orders of magnitude, on the high side of byte-pair vocabularies of 100,000 to 200,000 entries; the reported
usage makes up for the rest."""

TOKENS_PER_TURN = 4
"""What the chat format adds to each message."""

IMAGE_TOKENS = 1000
"""Of an image: more than most models count for one."""

BYTES_PER_DOCUMENT_TOKEN = 4
"""Of a document such as a PDF, of which only the size is known. Text in it is usually compressed to a third,
so that it has about three times as many tokens."""

LEAST_RATIO, MOST_RATIO = 0.4, 4.0
"""Bounds of the ratio: a provider that counts its search results as input must not shrink every context
window to nothing."""

RATIO_WEIGHT = 0.1
"""Of the newest report in the average."""

MOST_MODELS = 64
"""Models whose ratios are remembered."""

FIRST_GUESS = 500.0
"""Tokens of an answer, until some have been seen."""

ANSWER_WEIGHT = 0.05
"""Of the newest answer in the average."""

LONGEST_ANSWER = 16_000
"""Tokens of an answer that count in the average: one report must not make all later questions seem too long
to be sent."""


def of_attached(turn: Turn) -> int:
    """About how many tokens the images and documents of a turn take."""
    documents = sum(file.size for file in turn.files) // BYTES_PER_DOCUMENT_TOKEN
    return IMAGE_TOKENS * len(turn.images) + documents


def guess(text: str) -> float:
    """Tokens of `text` before any correction."""
    if text.isascii():
        return len(text) * TOKENS_PER_CHARACTER[0][1]
    encoded = text.encode("utf-8", "replace")
    total = len(encoded)
    return sum(
        (total - len(encoded.translate(None, leads))) * weight for leads, weight in TOKENS_PER_CHARACTER
    )


class TokenEstimator:
    """Estimates for each model. Remembers the ratios of the models used last."""

    def __init__(self) -> None:
        self._ratios: OrderedDict[str, float] = OrderedDict()

    def estimate(self, model: str, texts: Iterable[str]) -> int:
        """The tokens of a request with one message for each text, rounded up."""
        ratio = self._ratios.get(model, 1.0)
        return sum(self.of_text(text, ratio) for text in texts)

    def of_turn(self, model: str, turn: Turn) -> int:
        """The tokens of one message."""
        return self.of_text(turn.text, self._ratios.get(model, 1.0))

    @staticmethod
    def of_text(text: str, ratio: float) -> int:
        """The tokens of one message at that ratio."""
        return int(guess(text) * ratio) + TOKENS_PER_TURN + 1

    def ratio(self, model: str) -> float:
        """Reported over guessed tokens; 1 for a model that has reported nothing."""
        return self._ratios.get(model, 1.0)

    def learn(self, model: str, texts: Iterable[str], reported: int) -> None:
        """A provider counted `reported` tokens for a request with these messages."""
        lengths = [guess(text) for text in texts]
        guessed = sum(lengths)
        counted = reported - TOKENS_PER_TURN * len(lengths)
        if guessed < 1 or counted < 1:
            return
        ratio = min(max(counted / guessed, LEAST_RATIO), MOST_RATIO)
        known = self._ratios.get(model)
        self._ratios[model] = ratio if known is None else known + RATIO_WEIGHT * (ratio - known)
        self._ratios.move_to_end(model)
        if len(self._ratios) > MOST_MODELS:
            self._ratios.popitem(last=False)


class RequestEstimator:
    """Estimates the question, and expects an answer as long as the last ones, of one provider."""

    def __init__(self, estimator: TokenEstimator) -> None:
        self._estimator = estimator
        self._answer = FIRST_GUESS

    def tokens(self, request: ChatRequest) -> float:
        """Tokens of the question and the answer together."""
        return self.of_question(request) + self._answer

    def expected(self, request: ChatRequest) -> Usage:
        """Both of them, each by itself."""
        return Usage(self.of_question(request), round(self._answer))

    def of_question(self, request: ChatRequest) -> int:
        """Tokens of the question alone."""
        return self._estimator.estimate(request.model, request.texts) + _attached(request)

    def of_text(self, request: ChatRequest, text: str) -> int:
        """Tokens of a part of the answer."""
        return self._estimator.estimate(request.model, [text])

    def learn(self, request: ChatRequest, usage: Usage) -> None:
        """The provider has counted this for `request`."""
        self._answer += ANSWER_WEIGHT * (min(usage.output_tokens, LONGEST_ANSWER) - self._answer)
        self._estimator.learn(request.model, request.texts, usage.input_tokens - _attached(request))


def _attached(request: ChatRequest) -> int:
    return sum(of_attached(turn) for turn in request.turns)
