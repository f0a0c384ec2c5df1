"""The body of chat completions: the fields that every server has, and those that only OpenAI has."""

from typing import Annotated, Any, Literal

from pydantic import Field

from discordianai.sandbox.providers.request_items import Effort, FunctionName, ToolChoiceMode
from discordianai.sandbox.providers.strict_schema import Strict, Text, by_type, form, string_or


class TextPart(Strict):
    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    url: str
    detail: Literal["low", "high", "auto"] | None = None


class ImagePart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


class FileObject(Strict):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class FilePart(Strict):
    type: Literal["file"]
    file: FileObject


Part = Annotated[Annotated[TextPart, form("text")] | Annotated[ImagePart, form("image_url")], by_type()]
OpenAIPart = Annotated[
    Annotated[TextPart, form("text")]
    | Annotated[ImagePart, form("image_url")]
    | Annotated[FilePart, form("file")],
    by_type(),
]


OpenAIContent = Annotated[Text | Annotated[list[OpenAIPart], form("parts")], string_or("parts")]


class CalledFunction(Strict):
    name: str
    arguments: str


class ChatToolCall(Strict):
    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(Strict):
    role: Literal["system", "user", "assistant", "tool"]
    content: Annotated[Text | Annotated[list[Part], form("parts")], string_or("parts")] | None = None
    name: str | None = None
    tool_calls: list[ChatToolCall] | None = None
    tool_call_id: str | None = None


class OpenAIChatMessage(ChatMessage):
    role: Literal["developer", "system", "user", "assistant", "tool"]  # type: ignore[assignment]  # one more
    content: OpenAIContent | None = None  # type: ignore[assignment]  # it takes one more kind of part
    refusal: str | None = None


class FunctionSpec(Strict):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ChatTool(Strict):
    type: Literal["function"]
    function: FunctionSpec


class ChosenName(Strict):
    name: str


class ChosenTool(Strict):
    type: Literal["function"]
    function: ChosenName


class ChatStreamOptions(Strict):
    include_usage: bool | None = None


class OpenAIChatStreamOptions(ChatStreamOptions):
    include_obfuscation: bool | None = None


class ChatCompletionRequest(Strict):
    """The body of `POST /v1/chat/completions`, as servers of open models have it."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: ChatStreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop: Annotated[Text | Annotated[list[str], form("list")], string_or("list")] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tools: list[ChatTool] | None = None
    tool_choice: (
        Annotated[
            Annotated[ToolChoiceMode, form("string")] | Annotated[ChosenTool, form("chosen")],
            string_or("chosen"),
        ]
        | None
    ) = None
    response_format: dict[str, Any] | None = None
    user: str | None = None

    @property
    def limit(self) -> int | None:
        """How many tokens the answer may have."""
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens


class OpenAIChatCompletionRequest(ChatCompletionRequest):
    """The same at OpenAI, which has further fields."""

    messages: Annotated[list[OpenAIChatMessage], Field(min_length=1)]  # type: ignore[assignment]  # its own
    stream_options: OpenAIChatStreamOptions | None = None
    reasoning_effort: Effort | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    n: Literal[1] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, int] | None = None
