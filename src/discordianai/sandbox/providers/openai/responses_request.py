"""The body of OpenAI's `POST /v1/responses`: every field that it has, and no other."""

from typing import Annotated, Any, Literal

from pydantic import Field

from discordianai.sandbox.providers.request_items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    FunctionName,
    FunctionTool,
    InputFile,
    InputMessage,
    InputText,
    ItemStatus,
    ReasoningItem,
    ReasoningOptions,
    ToolChoiceMode,
)
from discordianai.sandbox.providers.strict_schema import Strict, Text, by_type, form, string_or


class OpenAIImage(Strict):
    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto", "original"] | None = None


class OpenAIFile(InputFile):
    file_id: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


class OutputText(Strict):
    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class OutputRefusal(Strict):
    type: Literal["refusal"]
    refusal: str


InputPart = Annotated[
    Annotated[InputText, form("input_text")]
    | Annotated[OpenAIImage, form("input_image")]
    | Annotated[OpenAIFile, form("input_file")],
    by_type(),
]
OutputPart = Annotated[
    Annotated[OutputText, form("output_text")] | Annotated[OutputRefusal, form("refusal")], by_type()
]


class OpenAIMessage(InputMessage[InputPart]):
    """A message of the user or of the operator."""

    role: Literal["user", "system", "developer"]
    status: ItemStatus | None = None
    id: str | None = None


class OpenAIAssistantMessage(InputMessage[OutputPart]):
    """An earlier answer of the model."""

    role: Literal["assistant"]
    phase: Literal["commentary", "final_answer"] | None = None
    status: ItemStatus | None = None
    id: str | None = None


class OpenAIFunctionCall(FunctionCallItem):
    name: FunctionName
    id: str | None = None
    status: ItemStatus | None = None


class OpenAIReasoningItem(ReasoningItem):
    id: str


class ItemReference(Strict):
    type: Literal["item_reference"]
    id: str


def _message(item: dict[str, Any]) -> str | None:
    """The form of a message, which may leave out its `type`."""
    if item.get("role") == "assistant":
        return "assistant"
    return "message" if "role" in item or "content" in item else None


InputItem = Annotated[
    Annotated[OpenAIMessage, form("message")]
    | Annotated[OpenAIAssistantMessage, form("assistant")]
    | Annotated[OpenAIFunctionCall, form("function_call")]
    | Annotated[FunctionCallOutputItem[InputPart], form("function_call_output")]
    | Annotated[OpenAIReasoningItem, form("reasoning")]
    | Annotated[ItemReference, form("item_reference")],
    by_type(_message),
]


class OpenAIFunctionTool(FunctionTool):
    name: FunctionName


class OpenAISearchFilters(Strict):
    allowed_domains: list[str] | None = None


class OpenAILocation(Strict):
    type: Literal["approximate"]
    country: str | None = None
    city: str | None = None
    region: str | None = None
    timezone: str | None = None


class OpenAIWebSearch(Strict):
    """OpenAI's hosted search."""

    type: Literal["web_search"]
    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: OpenAILocation | None = None
    filters: OpenAISearchFilters | None = None
    external_web_access: bool | None = None


Tool = Annotated[
    Annotated[OpenAIFunctionTool, form("function")] | Annotated[OpenAIWebSearch, form("web_search")],
    by_type(),
]


class ChosenFunction(Strict):
    type: Literal["function"]
    name: FunctionName


class ChosenSearch(Strict):
    type: Literal["web_search"]


class AllowedTools(Strict):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


Chosen = Annotated[
    Annotated[ChosenFunction, form("function")]
    | Annotated[ChosenSearch, form("web_search")]
    | Annotated[AllowedTools, form("allowed_tools")],
    by_type(),
]
ToolChoice = Annotated[
    Annotated[ToolChoiceMode, form("string")] | Annotated[Chosen, form("chosen")],
    string_or("chosen"),
]


class OpenAIReasoningOptions(ReasoningOptions):
    summary: Literal["auto", "concise", "detailed"] | None = None
    mode: Literal["standard", "pro"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None


class TextFormat(Strict):
    type: Literal["text", "json_schema", "json_object"]
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class TextOptions(Strict):
    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponsesStreamOptions(Strict):
    include_obfuscation: bool | None = None


class CacheOptions(Strict):
    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m", "12h"] | None = None


Include = Literal[
    "web_search_call.action.sources",
    "web_search_call.results",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
]


class ResponsesRequest(Strict):
    """The body of `POST /v1/responses`.

    `background`, `conversation` and `prompt`, which the sandbox does not imitate, take only what has no
    effect.
    """

    model: str
    input: Annotated[Text | Annotated[list[InputItem], form("items")], string_or("items")] | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    reasoning: OpenAIReasoningOptions | None = None
    text: TextOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: ResponsesStreamOptions | None = None
    include: list[Include] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    user: str | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None
    previous_response_id: str | None = None
    conversation: None = None
    prompt: None = None
    background: Literal[False] | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def items(self) -> list[Any]:
        """The input's items; a string is one user message."""
        if isinstance(self.input, str):
            return [OpenAIMessage(role="user", content=self.input)]
        return self.input or []

    @property
    def functions(self) -> list[OpenAIFunctionTool]:
        """The offered functions."""
        return [tool for tool in self.tools or () if isinstance(tool, OpenAIFunctionTool)]

    @property
    def searches(self) -> bool:
        """Whether the hosted search is offered."""
        return any(isinstance(tool, OpenAIWebSearch) for tool in self.tools or ())
