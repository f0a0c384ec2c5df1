"""What is OpenAI's own in a chat completion."""

from discordianai.model import ChatRequest, Tool
from discordianai.providers.chat import ChatCompletions, Json


class OpenAI(ChatCompletions):
    """Chat completions of OpenAI, and of whoever speaks like it."""

    def body(self, request: ChatRequest) -> Json:
        """See `ChatCompletions.body`."""
        body = super().body(request)
        body["stream_options"] = {"include_usage": True}
        if self._options.max_answer_tokens is not None:
            body["max_completion_tokens"] = self._options.max_answer_tokens
        if request.person:
            body["safety_identifier"] = request.person
        if request.tools:
            body["tools"] = [_function(tool) for tool in request.tools]
        return body


def _function(tool: Tool) -> Json:
    text = {"type": "string", "description": tool.meaning}
    parameters = {
        "type": "object",
        "properties": {tool.parameter: text},
        "required": [tool.parameter],
        "additionalProperties": False,
    }
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}
