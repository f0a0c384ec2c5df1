"""The body of Perplexity's `POST /v1/agent`: every field that its type has, and no other."""

from typing import Annotated, Any, Literal

from pydantic import Field

from discordianai.sandbox.providers.request_items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    FunctionTool,
    InputFile,
    InputMessage,
    InputText,
    ReasoningItem,
    ReasoningOptions,
    ToolChoiceMode,
)
from discordianai.sandbox.providers.strict_schema import Strict, Text, by_type, form, string_or

ContextSize = Literal["low", "medium", "high"]


class PerplexityImage(Strict):
    type: Literal["input_image"]
    image_url: str


class ResultImage(PerplexityImage):
    """An image that a function returns; only here is `detail` allowed."""

    detail: Literal["auto", "low", "high"] | None = None


AgentPart = Annotated[
    Annotated[InputText, form("input_text")]
    | Annotated[PerplexityImage, form("input_image")]
    | Annotated[InputFile, form("input_file")],
    by_type(),
]
ResultPart = Annotated[
    Annotated[InputText, form("input_text")] | Annotated[ResultImage, form("input_image")], by_type()
]


class PerplexityMessage(InputMessage[AgentPart]):
    role: Literal["user", "assistant", "system", "developer"]


class PerplexityFunctionCall(FunctionCallItem):
    thought_signature: str | None = None


class PerplexityFunctionCallOutput(FunctionCallOutputItem[ResultPart]):
    name: str | None = None
    thought_signature: str | None = None


class ReasoningText(Strict):
    type: Literal["reasoning_text"]
    text: str


class PerplexityReasoningItem(ReasoningItem):
    content: list[ReasoningText] | None = None


InputItem = Annotated[
    Annotated[PerplexityMessage, form("message")]
    | Annotated[PerplexityFunctionCall, form("function_call")]
    | Annotated[PerplexityFunctionCallOutput, form("function_call_output")]
    | Annotated[PerplexityReasoningItem, form("reasoning")],
    by_type(lambda _: "message"),
]


class PerplexitySearchFilters(Strict):
    search_domain_filter: Annotated[list[str], Field(max_length=20)] | None = None
    search_recency_filter: Literal["hour", "day", "week", "month", "year"] | None = None
    search_after_date_filter: str | None = None
    search_before_date_filter: str | None = None
    last_updated_after_filter: str | None = None
    last_updated_before_filter: str | None = None


class PerplexityLocation(Strict):
    city: str | None = None
    country: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class PerplexityWebSearch(Strict):
    type: Literal["web_search"]
    filters: PerplexitySearchFilters | None = None
    search_context_size: ContextSize | None = None
    search_type: Literal["web", "fast"] | None = None
    user_location: PerplexityLocation | None = None
    max_tokens: int | None = None
    max_tokens_per_page: int | None = None
    max_results: int | None = None


class FetchUrl(Strict):
    type: Literal["fetch_url"]
    max_urls: Annotated[int, Field(ge=1, le=10)] | None = None


Tool = Annotated[
    Annotated[PerplexityWebSearch, form("web_search")]
    | Annotated[FetchUrl, form("fetch_url")]
    | Annotated[FunctionTool, form("function")],
    by_type(),
]


class PerplexityToolChoice(Strict):
    type: Literal["web_search", "fetch_url", "function"]
    name: str | None = None


class AgentStreamOptions(Strict):
    include_usage: bool | None = None


class Profile(Strict):
    type: Literal["custom"]
    id: str
    version: str | None = None


class JsonSchema(Strict):
    schema_: dict[str, Any] = Field(alias="schema")
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["json_schema"]
    json_schema: JsonSchema | None = None


class AgentRequest(Strict):
    """The body of `POST /v1/agent`, and of `/v1/responses`, which is the same."""

    input: Annotated[Text | Annotated[list[InputItem], form("items")], string_or("items")]
    model: str | None = None
    models: Annotated[list[str], Field(max_length=5)] | None = None
    preset: str | None = None
    effort: str | None = None
    profile: Profile | None = None
    instructions: str | None = None
    tools: list[Tool] | None = None
    tool_choice: (
        Annotated[
            Annotated[ToolChoiceMode, form("string")] | Annotated[PerplexityToolChoice, form("chosen")],
            string_or("chosen"),
        ]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    max_output_tokens: int | None = None
    max_steps: Annotated[int, Field(ge=1, le=100)] | None = None
    reasoning: ReasoningOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    language_preference: str | None = None
    response_format: ResponseFormat | None = None
    service_tier: Literal["auto", "default", "flex", "priority", "fast"] | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: AgentStreamOptions | None = None
    background: Literal[False] | None = None
    previous_response_id: str | None = None
    skills: list[dict[str, Any]] | None = None
    step_budget_reminder: bool | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["auto", "disabled"] | None = None

    @property
    def items(self) -> list[Any]:
        """The input's items; a string is one user message."""
        return (
            [PerplexityMessage(role="user", content=self.input)]
            if isinstance(self.input, str)
            else self.input
        )

    @property
    def functions(self) -> list[FunctionTool]:
        """The offered functions."""
        return [tool for tool in self.tools or () if isinstance(tool, FunctionTool)]

    @property
    def chosen_preset(self) -> str | None:
        """The preset; `effort` is its newer name and goes first."""
        return self.effort or self.preset
