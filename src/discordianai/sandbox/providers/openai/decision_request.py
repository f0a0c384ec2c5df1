"""The body of OpenAI's `POST /v1/decisions`, and the sandbox's answer to it."""

from typing import Annotated, Literal

from pydantic import Field

from discordianai.sandbox.providers.scripted_answers import wants_the_web
from discordianai.sandbox.providers.scripted_stream import Json
from discordianai.sandbox.providers.strict_schema import Strict, Text, form, string_or


class DecisionMessage(Strict):
    role: Literal["user", "assistant", "system", "developer"]
    content: str


class DecisionQuestion(Strict):
    type: Literal["predicate", "choice", "score"]
    name: str
    instructions: str | None = None
    choices: list[str] | None = None


class DecisionRequest(Strict):
    """Questions about `input`, which are answered without text."""

    model: str
    input: Annotated[Text | Annotated[list[DecisionMessage], form("messages")], string_or("messages")]
    questions: Annotated[list[DecisionQuestion], Field(min_length=1)]
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What the user said, the newest last."""
        if isinstance(self.input, str):
            return (self.input,)
        return tuple(message.content for message in self.input if message.role == "user")


def decided(request: DecisionRequest, tokens: int) -> Json:
    """The answer: each predicate is taken for one about the web."""
    probability = 0.91 if wants_the_web(request.texts[-1] if request.texts else "") else 0.04
    return {
        "answers": [
            {"type": question.type, "name": question.name, "probability": probability}
            for question in request.questions
        ],
        "model": request.model,
        "usage": {"input_tokens": tokens, "output_tokens": len(request.questions), "total_tokens": tokens},
    }
