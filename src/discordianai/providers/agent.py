"""Perplexity's Agent interface: `POST /v1/agent`.

It refuses fields that it does not know, so that only documented ones are sent. It has no field for an
identifier of the person.
"""

from discordianai.providers.json_values import Json
from discordianai.providers.options import ProviderOptions
from discordianai.providers.responses import ResponsesDecoder, content, most_tokens
from discordianai.records import ChatRequest, Provider, Turn

PRESETS = ("fast", "low", "medium", "high", "xhigh")
"""Each stands for a model, its tools and its instructions; every other name is a model's."""

CITE = "Cite the sources of what you found on the web by their numbers in brackets, like [1]."
"""Our instructions replace those of a preset, including the ones about citations."""


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
            # A model without a preset does not search, and may not even if it is offered the tool.
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
        """See `Codec.decoder`. The id of the request is that of the run, which the headers so tell."""
        run_id = f"resp_{request_id}" if request_id else ""
        return ResponsesDecoder(self._provider, (), run_id, most_tokens(self._options))

    def cancel_path(self, run_id: str) -> str | None:
        """See `Codec.cancel_path`. A run may go on, and be charged, after its stream was closed."""
        known = run_id.isascii() and run_id.replace("_", "").replace("-", "").isalnum() and len(run_id) <= 128
        return f"/v1/agent/{run_id}/cancel" if known else None


def _item(turn: Turn) -> Json:
    return {"type": "message", "role": turn.role.value, "content": content(turn)}
