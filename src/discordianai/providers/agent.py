"""Perplexity's Agent interface: `POST /v1/agent`.

It refuses every field that its type does not have, so that only those stand here. It has no place for an
identifier of the person.
"""

from discordianai.model import ChatRequest, Provider, Turn
from discordianai.providers.json_values import Json
from discordianai.providers.options import ProviderOptions
from discordianai.providers.responses import content, most_tokens
from discordianai.providers.responses_decoder import ResponsesDecoder

PRESETS = ("fast", "low", "medium", "high", "xhigh")
"""Each stands for a model, its tools and its instructions; every other name is a model's."""

CITE = "Cite the sources of what you found on the web by their numbers in brackets, like [1]."
"""Instructions replace those of a preset, the ones about citations included."""


class AgentCodec:
    """See `Codec`."""

    path = "/v1/agent"

    def __init__(self, provider: Provider, options: ProviderOptions) -> None:
        self._provider = provider
        self._options = options

    def encode(self, request: ChatRequest) -> Json:
        """See `Codec.encode`."""
        body: Json = {
            "input": [_item(turn) for turn in request.turns],
            "instructions": f"{request.instructions}\n{CITE}".strip(),
            "stream": True,
            "store": False,
        }
        if request.model in PRESETS:
            body["preset"] = request.model
        else:
            # A bare model does not search, and one that is merely offered the tool may do without.
            search = {"type": "web_search"}
            body |= {"model": request.model, "tools": [search], "tool_choice": search}
        if (most := most_tokens(self._options)) is not None:
            body["max_output_tokens"] = most
        if self._options.reasoning_effort:
            body["reasoning"] = {"effort": self._options.reasoning_effort}
        if request.conversation:
            body["prompt_cache_key"] = request.conversation
        return body

    def decoder(self, _request: ChatRequest, request_id: str) -> ResponsesDecoder:
        """See `Codec.decoder`. The request's id is that of the run, which is so known with the headers."""
        run_id = f"resp_{request_id}" if request_id else ""
        return ResponsesDecoder(self._provider, (), run_id, most_tokens(self._options))

    def cancel_path(self, run_id: str) -> str | None:
        """See `Codec.cancel_path`. Closing the stream may leave the run going on, and on the bill."""
        known = run_id.isascii() and run_id.replace("_", "").replace("-", "").isalnum() and len(run_id) <= 128
        return f"/v1/agent/{run_id}/cancel" if known else None


def _item(turn: Turn) -> Json:
    return {"type": "message", "role": turn.role.value, "content": content(turn)}
