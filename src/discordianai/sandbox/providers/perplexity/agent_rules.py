"""Perplexity's rules for a request beyond its types; each is a function that raises `ApiError`."""

import re
from collections.abc import Callable

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.model_catalog import OLD_PRESETS, PERPLEXITY, PRESETS, WITHOUT_IMAGES
from discordianai.sandbox.providers.perplexity.agent_request import (
    AgentRequest,
    PerplexityImage,
    PerplexityMessage,
    PerplexityToolChoice,
    PerplexityWebSearch,
)
from discordianai.sandbox.providers.provider_faults import NO_IMAGES
from discordianai.sandbox.providers.request_items import InputFile, is_base64, unpaired_calls
from discordianai.sandbox.providers.strict_schema import Mistake, MistakeKind, type_of

RESERVED = frozenset(
    {
        "web_search",
        "search_web",
        "people_search",
        "search_people",
        "fetch_url",
        "finance_search",
        "image_search",
        "sandbox",
    }
)
"""Names of Perplexity's own tools, which no function may have."""

# The sandbox's own Discord serves its files without TLS, on this machine alone.
_ADDRESS = r"(?:https://|http://127\.0\.0\.1:)\S{1,2020}"
_IMAGE = re.compile(rf"data:image/(png|jpe?g|webp|gif);base64,(?P<data>.+)|{_ADDRESS}", re.DOTALL)
_DOMAIN = re.compile(r"-?[\w-]+(\.[\w-]+)+")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_GO_TYPES = {"a string": "string", "an integer": "int", "a decimal": "float64", "a boolean": "bool"}
_JSON_TYPES = {"a string": "string", "an integer": "number", "a decimal": "number", "a boolean": "bool"}


def refusal(mistake: Mistake) -> ApiError:
    """How Perplexity words a violation of its types: as the decoder of Go does."""
    name = mistake.name
    match mistake.kind:
        case MistakeKind.UNKNOWN:
            return bad_request("invalid_request", name, f'invalid request body: json: unknown field "{name}"')
        case MistakeKind.TYPE:
            got = _JSON_TYPES.get(type_of(mistake.value), type_of(mistake.value).split()[-1])
            wanted = _GO_TYPES.get(mistake.wanted, mistake.wanted.split()[-1])
            message = f"json: cannot unmarshal {got} into Go struct field {mistake.path} of type {wanted}"
            return bad_request("invalid_request", name, f"invalid request body: {message}")
        case MistakeKind.MISSING:
            return bad_request("invalid_request", name, f"{mistake.path} is required")
        case _:
            return bad_request("invalid_parameter", name, f"{mistake.path} must be {mistake.wanted}")


def bad_request(kind: str, param: str | None, message: str) -> ApiError:
    """A response with status 400."""
    return ApiError(400, None, param, message, kind=kind)


def check(request: AgentRequest) -> None:
    """Apply every rule."""
    for rule in RULES:
        rule(request)


def _names_a_model(request: AgentRequest) -> None:
    if not (request.model or request.models or request.chosen_preset or request.profile):
        raise bad_request(
            "invalid_request", "model", "one of model, models, preset, effort or profile is required"
        )


def _known_models(request: AgentRequest) -> None:
    for param, model in [("model", request.model)] + [("models", model) for model in request.models or ()]:
        if model is not None and model not in PERPLEXITY:
            raise bad_request("invalid_model", param, f"Invalid model '{model}'.")


def _known_preset(request: AgentRequest) -> None:
    for param in ("effort", "preset"):
        preset = getattr(request, param)
        if preset is not None and preset not in PRESETS and preset not in OLD_PRESETS:
            raise bad_request("invalid_request", param, f"unknown {param} '{preset}'")


def _has_input(request: AgentRequest) -> None:
    if not request.input:
        raise bad_request("invalid_request", "input", "input must not be empty")


def _no_reserved_names(request: AgentRequest) -> None:
    for function in request.functions:
        if function.name in RESERVED:
            message = f"function name '{function.name}' is reserved"
            raise bad_request("invalid_request", "tools", message)


def _the_chosen_tool_is_offered(request: AgentRequest) -> None:
    choice = request.tool_choice
    if isinstance(choice, PerplexityToolChoice) and not _is_offered(request, choice):
        raise bad_request("invalid_request", "tool_choice", "tool_choice names a tool that is not in tools")


def _is_offered(request: AgentRequest, choice: PerplexityToolChoice) -> bool:
    preset = request.chosen_preset is not None and choice.type == "web_search"
    return preset or any(
        tool.type == choice.type and (choice.name is None or getattr(tool, "name", None) == choice.name)
        for tool in request.tools or ()
    )


def _calls_have_outputs(request: AgentRequest) -> None:
    without_output, without_call = unpaired_calls(request.items)
    for lonely in sorted({*without_output, *without_call}):
        message = f"no tool call found for call_id {lonely}"
        if lonely in without_output:
            message = f"no tool output found for function call {lonely}"
        raise bad_request("invalid_request", "input", message)


def _needs_a_limit(request: AgentRequest) -> None:
    if (request.model or "").startswith("anthropic/") and request.max_output_tokens is None:
        raise bad_request(
            "invalid_request", "max_output_tokens", "max_output_tokens is required for this model"
        )


def _images_and_files(request: AgentRequest) -> None:
    for item in request.items:
        if isinstance(item, PerplexityMessage) and not isinstance(item.content, str):
            for part in item.content:
                if isinstance(part, PerplexityImage):
                    _image(part, request.model)
                elif isinstance(part, InputFile):
                    _file(part)


def _image(part: PerplexityImage, model: str | None) -> None:
    if model in WITHOUT_IMAGES:
        raise bad_request("invalid_request", "image_url", NO_IMAGES)
    found = _IMAGE.fullmatch(part.image_url)
    if not found or not is_base64(found["data"]):
        raise bad_request("invalid_request", "image_url", "image_url must be an https URL or a data URI")


def _file(part: InputFile) -> None:
    if (part.file_data is None) == (part.file_url is None):
        raise bad_request(
            "invalid_request", "input_file", "exactly one of file_data and file_url is required"
        )


def _search_filters(request: AgentRequest) -> None:
    for tool in request.tools or ():
        if not isinstance(tool, PerplexityWebSearch) or tool.filters is None:
            continue
        for domain in tool.filters.search_domain_filter or ():
            if not _DOMAIN.fullmatch(domain):
                message = f"Invalid domain '{domain}'."
                raise bad_request("invalid_search_domain_filter", "search_domain_filter", message)
        for name in ("search_after_date_filter", "search_before_date_filter"):
            date = getattr(tool.filters, name)
            if date is not None and not _DATE.fullmatch(date):
                raise bad_request("invalid_date_format", name, "Dates are written as MM/DD/YYYY.")


RULES: tuple[Callable[[AgentRequest], None], ...] = (
    _names_a_model,
    _known_models,
    _known_preset,
    _has_input,
    _no_reserved_names,
    _the_chosen_tool_is_offered,
    _calls_have_outputs,
    _needs_a_limit,
    _images_and_files,
    _search_filters,
)
