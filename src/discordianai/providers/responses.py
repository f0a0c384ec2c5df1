"""OpenAI's Responses interface: `POST /responses`."""

from discordianai.providers.json_values import Json
from discordianai.providers.options import ProviderOptions, dialect_of
from discordianai.providers.responses_decoder import ResponsesDecoder
from discordianai.records import ChatRequest, Dialect, Provider, Role, SearchMode, Tool, Turn

LEAST_OUTPUT_TOKENS = 16
"""The least that OpenAI accepts. Perplexity takes smaller numbers for it."""

HOSTED_SEARCH = "web_search"

MOST_SEARCHES = 5
"""Of one request. OpenAI is told so, for each search is charged; of others it is an assumption."""


class ResponsesCodec:
    """See `Codec`. Nothing is stored at OpenAI: the history is sent with each question."""

    path = "/responses"

    def __init__(self, provider: Provider, options: ProviderOptions) -> None:
        self._provider = provider
        self._options = options

    def encode(self, request: ChatRequest) -> Json:
        """See `Codec.encode`."""
        options = self._options
        body: Json = {
            "model": request.model,
            "input": [_item(turn) for turn in request.turns],
            "stream": True,
            "stream_options": {"include_obfuscation": False},
            "store": False,
        }
        optional: Json = {
            "instructions": request.instructions,
            "safety_identifier": request.person,
            "prompt_cache_key": request.conversation,
            "max_output_tokens": most_tokens(options),
            "reasoning": options.reasoning_effort and {"effort": options.reasoning_effort},
            "text": options.verbosity and {"verbosity": options.verbosity},
        }
        body |= {key: value for key, value in optional.items() if value}
        body |= _tools(request)
        if request.search is not SearchMode.OFF and dialect_of(options.base_url) is Dialect.RESPONSES:
            body["max_tool_calls"] = MOST_SEARCHES  # other hosts need not know it
        return body

    def decoder(self, request: ChatRequest, _request_id: str) -> ResponsesDecoder:
        """See `Codec.decoder`."""
        return ResponsesDecoder(self._provider, request.tools)

    def cancel_path(self, _run_id: str) -> None:
        """Only background responses can be cancelled; closing the stream has to do."""
        return


def _item(turn: Turn) -> Json:
    """A message; plain text is accepted for every role, parts are needed only for more than text."""
    if turn.role is Role.ASSISTANT:
        # Answers get worse where the final one is not distinguished from commentary.
        return {"type": "message", "role": turn.role.value, "content": turn.text, "phase": "final_answer"}
    return {"type": "message", "role": turn.role.value, "content": content(turn)}


def most_tokens(options: ProviderOptions) -> int | None:
    """The limit of an answer; None where that is left to the model."""
    most = options.max_answer_tokens
    return None if most is None else max(most, LEAST_OUTPUT_TOKENS)


def content(turn: Turn) -> str | list[Json]:
    """What a person wrote, with the images and documents attached."""
    if not turn.images and not turn.files:
        return turn.text
    parts: list[Json] = [{"type": "input_text", "text": turn.text}]
    parts += [{"type": "input_image", "image_url": url} for url in turn.images]
    parts += [{"type": "input_file", "file_url": file.url} for file in turn.files]
    return parts


def _tools(request: ChatRequest) -> Json:
    tools: list[Json] = [_function(tool) for tool in request.tools]
    choice: Json = {}
    if request.search is not SearchMode.OFF:
        tools.append({"type": HOSTED_SEARCH})
    if request.search is SearchMode.REQUIRED:
        choice = {"tool_choice": {"type": HOSTED_SEARCH}}
    return {"tools": tools, "parallel_tool_calls": False, **choice} if tools else {}


def _function(tool: Tool) -> Json:
    """A function that takes one text."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "strict": True,
        "parameters": parameters(tool),
    }


def parameters(tool: Tool) -> Json:
    """The schema of a function's arguments."""
    return {
        "type": "object",
        "properties": {tool.parameter: {"type": "string", "description": tool.meaning}},
        "required": [tool.parameter],
        "additionalProperties": False,
    }
