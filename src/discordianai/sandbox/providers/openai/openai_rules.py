"""OpenAI's rules for a request beyond its types; each is a function that raises `ApiError`."""

import re
from collections.abc import Callable
from typing import Any

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.chat.chat_request import OpenAIChatCompletionRequest
from discordianai.sandbox.providers.model_catalog import OPENAI, ChatTools, OpenAIModel
from discordianai.sandbox.providers.openai.responses_request import (
    ChosenFunction,
    OpenAIFile,
    OpenAIImage,
    OpenAIMessage,
    ResponsesRequest,
)
from discordianai.sandbox.providers.request_items import is_base64, unpaired_calls
from discordianai.sandbox.providers.strict_schema import Mistake, MistakeKind, type_of

_IMAGE = re.compile(r"https?://\S+|data:image/(png|jpe?g|webp|gif);base64,(?P<data>.*)", re.DOTALL)
_FILE = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,(?P<data>.*)", re.DOTALL)


def refusal(mistake: Mistake) -> ApiError:
    """How OpenAI words a violation of its types."""
    path, wanted, value = mistake.path, mistake.wanted, mistake.value
    match mistake.kind:
        case MistakeKind.UNKNOWN:
            return bad_request("unknown_parameter", path, f"Unknown parameter: '{path}'.")
        case MistakeKind.MISSING:
            return bad_request("missing_required_parameter", path, f"Missing required parameter: '{path}'.")
        case MistakeKind.TYPE:
            got = type_of(value)
            message = f"Invalid type for '{path}': expected {wanted}, but got {got} instead."
            return bad_request("invalid_type", path, message)
        case MistakeKind.VALUE:
            message = f"Invalid value: '{value}'. Supported values are: {wanted}."
            return bad_request("invalid_value", path, message)
        case MistakeKind.SMALL:
            message = (
                f"Invalid '{path}': integer below minimum value. Expected a value >= {wanted}, got {value}."
            )
            return bad_request("integer_below_min_value", path, message)
        case MistakeKind.LARGE:
            message = f"Invalid '{path}': above maximum value. Expected a value <= {wanted}, got {value}."
            return bad_request("decimal_above_max_value", path, message)
        case MistakeKind.LONG:
            message = f"Invalid '{path}': too long. Expected a maximum length of {wanted}."
            return bad_request("string_above_max_length", path, message)


def bad_request(code: str | None, param: str | None, message: str) -> ApiError:
    """A response with status 400."""
    return ApiError(400, code, param, message)


def model_of(model: str) -> OpenAIModel:
    """The model with this id. Raises `ApiError`: here an unknown one is a 400."""
    if model not in OPENAI:
        message = f"The requested model '{model}' does not exist."
        raise bad_request("model_not_found", "model", message)
    return OPENAI[model]


def check(request: ResponsesRequest, tokens: int) -> None:
    """Apply every rule; `tokens` is the size of the input."""
    model = model_of(request.model)
    for rule in RULES:
        rule(request, model)
    if tokens > model.context:
        message = (
            "Your input exceeds the context window of this model. Please adjust your input and try again."
        )
        raise bad_request("context_length_exceeded", "input", message)


def _has_input(request: ResponsesRequest, _: OpenAIModel) -> None:
    if not request.input:
        message = (
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
        )
        raise bad_request("missing_required_parameter", "input", message)


def _no_sampling(request: ResponsesRequest, _: OpenAIModel) -> None:
    for name in ("temperature", "top_p", "top_logprobs"):
        if getattr(request, name) is not None:
            raise bad_request(
                None, name, f"Unsupported parameter: '{name}' is not supported with this model."
            )


def _known_effort(request: ResponsesRequest, model: OpenAIModel) -> None:
    check_effort(request.reasoning.effort if request.reasoning else None, model, "reasoning.effort")


def check_effort(effort: str | None, model: OpenAIModel, param: str) -> None:
    """Raise `ApiError` where the model does not support this effort."""
    if effort is not None and effort not in model.efforts:
        known = ", ".join(f"'{known}'" for known in model.efforts)
        message = f"Unsupported value: '{effort}' is not supported with the '{model.id}' model."
        raise bad_request("unsupported_value", param, f"{message} Supported values are: {known}.")


def _stream_options_go_with_a_stream(request: ResponsesRequest, _: OpenAIModel) -> None:
    if request.stream_options is not None and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise bad_request("invalid_value", "stream_options", message)


def _nothing_is_continued(request: ResponsesRequest, _: OpenAIModel) -> None:
    if request.previous_response_id is not None:
        message = f"Previous response with id '{request.previous_response_id}' not found."
        raise bad_request("previous_response_not_found", "previous_response_id", message)


def _calls_have_outputs(request: ResponsesRequest, _: OpenAIModel) -> None:
    without_output, without_call = unpaired_calls(request.items)
    for call in without_output:
        raise bad_request(None, "input", f"No tool output found for function call {call}.")
    for output in without_call:
        raise bad_request(
            None, "input", f"No tool call found for function call output with call_id {output}."
        )


def _images_and_files(request: ResponsesRequest, _: OpenAIModel) -> None:
    for at, item in enumerate(request.items):
        if isinstance(item, OpenAIMessage) and not isinstance(item.content, str):
            for number, part in enumerate(item.content):
                path = f"input[{at}].content[{number}]"
                if isinstance(part, OpenAIImage):
                    _image(part, path)
                elif isinstance(part, OpenAIFile):
                    _file(part, path)


def _image(part: OpenAIImage, path: str) -> None:
    if part.file_id is not None:
        raise bad_request("file_not_found", f"{path}.file_id", "The file could not be found.")
    if part.image_url is None:
        raise bad_request(
            "missing_required_parameter", path, f"Missing required parameter: '{path}.image_url'."
        )
    found = _IMAGE.fullmatch(part.image_url)
    if not found:
        message = f"Invalid '{path}.image_url'. Expected a valid URL, but got a value with an invalid format."
        raise bad_request("invalid_value", f"{path}.image_url", message)
    if not is_base64(found["data"]):
        message = "Invalid base64 image_url."
        raise bad_request("invalid_base64_image", f"{path}.image_url", message)


def _file(part: OpenAIFile, path: str) -> None:
    if part.file_id is not None:
        raise bad_request("file_not_found", f"{path}.file_id", "The file could not be found.")
    if part.file_url is None and part.file_data is None:
        raise bad_request(
            "missing_required_parameter", path, f"Missing required parameter: '{path}.file_data'."
        )
    if part.file_data is None:
        return
    if not part.filename:
        message = f"Missing required parameter: '{path}.filename'."
        raise bad_request("missing_required_parameter", f"{path}.filename", message)
    found = _FILE.fullmatch(part.file_data)
    if not found or not is_base64(found["data"]):
        message = f"Invalid '{path}.file_data'. Expected a base64-encoded data URL with a MIME type."
        raise bad_request("invalid_value", f"{path}.file_data", message)


def _functions_are_strict(request: ResponsesRequest, _: OpenAIModel) -> None:
    for at, tool in enumerate(request.tools or ()):
        if tool.type == "function" and tool.strict is not False and (wrong := _loose(tool.parameters or {})):
            message = f"Invalid schema for function '{tool.name}': In context=(), {wrong}."
            raise bad_request("invalid_function_parameters", f"tools[{at}].parameters", message)


def _loose(schema: dict[str, Any]) -> str | None:
    """Why a schema is not strict; None if it is."""
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    if set(schema.get("required", ())) != set(schema.get("properties", ())):
        return "'required' is required to be supplied and to be an array including every key in properties"
    return None


def _the_chosen_tool_is_offered(request: ResponsesRequest, _: OpenAIModel) -> None:
    choice = request.tool_choice
    if isinstance(choice, ChosenFunction) and choice.name not in {tool.name for tool in request.functions}:
        raise bad_request(None, "tool_choice", f"Tool choice '{choice.name}' not found in 'tools' parameter.")
    if getattr(choice, "type", None) == "web_search" and not request.searches:
        raise bad_request(None, "tool_choice", "Tool choice 'web_search' not found in 'tools' parameter.")


def _no_search_with_minimal_effort(request: ResponsesRequest, _: OpenAIModel) -> None:
    if request.searches and request.reasoning and request.reasoning.effort == "minimal":
        message = "The following tools cannot be used with reasoning.effort 'minimal': web_search."
        raise bad_request(None, "tools", message)


RULES: tuple[Callable[[ResponsesRequest, OpenAIModel], None], ...] = (
    _has_input,
    _no_sampling,
    _known_effort,
    _stream_options_go_with_a_stream,
    _nothing_is_continued,
    _calls_have_outputs,
    _images_and_files,
    _functions_are_strict,
    _the_chosen_tool_is_offered,
    _no_search_with_minimal_effort,
)


def check_chat(request: OpenAIChatCompletionRequest) -> None:
    """Apply the rules of chat completions. Today's models take hardly any function tools there."""
    if request.model not in OPENAI:
        message = f"The model `{request.model}` does not exist or you do not have access to it."
        raise ApiError(404, "model_not_found", "model", message)
    model = OPENAI[request.model]
    if request.max_tokens is not None:
        message = "Unsupported parameter: 'max_tokens' is not supported with this model."
        raise bad_request(
            "unsupported_parameter", "max_tokens", f"{message} Use 'max_completion_tokens' instead."
        )
    for name in ("temperature", "top_p"):
        if getattr(request, name) not in (None, 1):
            message = f"Unsupported value: '{name}' does not support this value with this model."
            raise bad_request(
                "unsupported_value", name, f"{message} Only the default (1) value is supported."
            )
    check_effort(request.reasoning_effort, model, "reasoning_effort")
    if request.tools and _refuses_tools(request.reasoning_effort, model):
        message = (
            f"Function tools with reasoning_effort are not supported for {model.id} in /v1/chat/completions."
        )
        advice = "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        raise bad_request(None, "reasoning_effort", f"{message} {advice}")


def _refuses_tools(effort: str | None, model: OpenAIModel) -> bool:
    match model.chat_tools:
        case ChatTools.ALWAYS:
            return False
        case ChatTools.WITHOUT_EFFORT:
            return effort not in (None, "none")
        case ChatTools.WITH_NONE:
            return effort != "none"
