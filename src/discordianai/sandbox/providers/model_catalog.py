"""The models of the sandbox's services, and what each of them accepts."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class ChatTools(Enum):
    """Whether a model accepts function tools on OpenAI's chat completions."""

    ALWAYS = auto()
    WITHOUT_EFFORT = auto()
    """Not where a `reasoning_effort` is sent, other than `none`."""
    WITH_NONE = auto()
    """Only where `reasoning_effort` is `none`."""


_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

REASONING_TOKENS = {
    "none": 0,
    "minimal": 16,
    "low": 64,
    "medium": 192,
    "high": 512,
    "xhigh": 1024,
    "max": 2048,
}
"""Reasoning tokens of the sandbox's models, by effort."""


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """One of OpenAI's models."""

    id: str
    efforts: tuple[str, ...]
    effort: str
    """The default effort."""
    chat_tools: ChatTools
    context: int = 922_000
    """The maximum number of input tokens."""
    created: int = 1_790_000_000
    shutdown_date: str | None = None

    def listed(self) -> dict[str, Any]:
        """Its entry in `GET /v1/models`."""
        entry = {"id": self.id, "object": "model", "created": self.created, "owned_by": "system"}
        return {**entry, "shutdown_date": self.shutdown_date}


def _efforts(first: str, last: str, *without: str) -> tuple[str, ...]:
    steps = _EFFORTS[_EFFORTS.index(first) : _EFFORTS.index(last) + 1]
    return tuple(step for step in steps if step not in without)


_SINCE_GPT_6 = _efforts("none", "max", "minimal")

OPENAI = {
    model.id: model
    for model in (
        OpenAIModel("gpt-6-luna", _SINCE_GPT_6, "low", ChatTools.WITH_NONE),
        OpenAIModel("gpt-6.1-terra", _SINCE_GPT_6, "medium", ChatTools.WITH_NONE),
        OpenAIModel("gpt-6.1-sol", _efforts("low", "max"), "medium", ChatTools.WITH_NONE),
        OpenAIModel(
            "gpt-5.4-mini",
            _efforts("none", "xhigh", "minimal"),
            "none",
            ChatTools.WITHOUT_EFFORT,
            context=272_000,
        ),
        OpenAIModel(
            "gpt-5-mini",
            _efforts("minimal", "high"),
            "medium",
            ChatTools.ALWAYS,
            context=272_000,
            created=1_754_000_000,
            shutdown_date="2026-12-11",
        ),
    )
}

PRESETS = {
    "fast": "openai/gpt-6-luna",
    "low": "openai/gpt-6-luna",
    "medium": "openai/gpt-6.1-terra",
    "high": "openai/gpt-6.1-terra",
    "xhigh": "openai/gpt-6.1-sol",
}
"""Perplexity's presets, and the model behind each."""

OLD_PRESETS = {
    "fast-search": "fast",
    "pro-search": "low",
    "deep-research": "medium",
    "advanced-deep-research": "high",
}

PERPLEXITY = (
    "perplexity/sonar",
    "openai/gpt-6-luna",
    "openai/gpt-6.1-terra",
    "openai/gpt-6.1-sol",
    "anthropic/claude-haiku-5-5",
    "google/gemini-3.8-flash",
)

WITHOUT_IMAGES = frozenset({"perplexity/sonar", "local-model"})
"""Models that do not accept images."""

FOREIGN = ("local-model", "local-vision")
