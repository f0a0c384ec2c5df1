"""What is Perplexity's own in a chat completion."""

from dataclasses import replace

from discordianai.model import ChatRequest, Role, Turn
from discordianai.providers.chat import ChatCompletions, Json


class Perplexity(ChatCompletions):
    """Chat completions of Perplexity, which searches the web for each."""

    def body(self, request: ChatRequest) -> Json:
        """See `ChatCompletions.body`."""
        body = super().body(replace(request, turns=alternating(request.turns)))
        if self._options.max_answer_tokens is not None:
            body["max_tokens"] = self._options.max_answer_tokens
        return body


def alternating(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The same words with person and assistant taking turns, the person first, as Perplexity demands."""
    merged: list[Turn] = []
    for turn in turns:
        if not merged and turn.role is not Role.USER:
            continue  # an answer whose question is gone says little
        if merged and merged[-1].role is turn.role:
            before = merged[-1]
            text, images = f"{before.text}\n\n{turn.text}", (*before.images, *turn.images)
            merged[-1] = replace(before, text=text, images=images, at=turn.at)
        else:
            merged.append(turn)
    return tuple(merged)
