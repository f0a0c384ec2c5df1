"""Chat completions at OpenAI: still there, but today's models take no function tools on it."""

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.chat.chat_request import OpenAIChatCompletionRequest
from discordianai.sandbox.providers.model_catalog import OPENAI, ChatTools, OpenAIModel
from discordianai.sandbox.providers.openai import openai_rules


def check_chat(request: OpenAIChatCompletionRequest) -> None:
    """Raise `ApiError` where the model does not take this."""
    if request.model not in OPENAI:
        said = f"The model `{request.model}` does not exist or you do not have access to it."
        raise ApiError(404, "model_not_found", "model", said)
    model = OPENAI[request.model]
    if request.max_tokens is not None:
        said = "Unsupported parameter: 'max_tokens' is not supported with this model."
        raise openai_rules.bad(
            "unsupported_parameter", "max_tokens", f"{said} Use 'max_completion_tokens' instead."
        )
    for name in ("temperature", "top_p"):
        if getattr(request, name) not in (None, 1):
            said = f"Unsupported value: '{name}' does not support this value with this model."
            raise openai_rules.bad(
                "unsupported_value", name, f"{said} Only the default (1) value is supported."
            )
    openai_rules.check_effort(request.reasoning_effort, model, "reasoning_effort")
    if request.tools and _refuses_tools(request.reasoning_effort, model):
        said = (
            f"Function tools with reasoning_effort are not supported for {model.id} in /v1/chat/completions."
        )
        advice = "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        raise openai_rules.bad(None, "reasoning_effort", f"{said} {advice}")


def _refuses_tools(effort: str | None, model: OpenAIModel) -> bool:
    match model.chat_tools:
        case ChatTools.ALWAYS:
            return False
        case ChatTools.WITHOUT_EFFORT:
            return effort not in (None, "none")
        case ChatTools.WITH_NONE:
            return effort != "none"
