"""The endpoints that others run, which operators point the bot at, in November 2026.

Wordings and status codes are those of public reports; docs/endpoints.md has the settings that go with each.
"""

from discordianai.sandbox.providers.endpoints.family import (
    EFFORT,
    FIELDS,
    INVALID_REQUEST,
    NEWER_LIMIT,
    Calls,
    Family,
    Refusal,
    UsageWhen,
    google_form,
    mistral_form,
    openrouter_form,
    xai_form,
)

_OPENROUTER = Family(
    name="openrouter",
    label="OpenRouter",
    models=("deepseek/deepseek-r1:free", "qwen/qwen3-32b"),
    base_path="/api/v1",
    known=FIELDS | EFFORT | NEWER_LIMIT | {"verbosity"},
    no_tools=Refusal(
        404,
        "No endpoints found that support tool use. To learn more about provider routing, visit: "
        "https://openrouter.ai/docs/provider-routing",
    ),
    without_tools=frozenset({"deepseek/deepseek-r1:free"}),
    too_long=Refusal(
        400,
        "This endpoint's maximum context length is 8000 tokens. However, you requested about 9012 tokens. "
        'Please reduce the length of either one, or use the "middle-out" transform to compress your prompt.',
    ),
    filtered=Refusal(403, "{value} requires moderation. Your input was flagged"),
    no_model=Refusal(400, "{value} is not a valid model ID"),
    bad_image=Refusal(404, "No endpoints found that support image input"),
    without_images=frozenset({"deepseek/deepseek-r1:free", "qwen/qwen3-32b"}),
    form=openrouter_form,
    reasoning="reasoning",
    usage=UsageWhen.LAST,
    content_type="text/event-stream",
    comment=b": OPENROUTER PROCESSING\n\n",
)

_AZURE = Family(
    name="azure",
    label="Azure OpenAI",
    models=("assistant", "reasoner"),
    base_path="/openai/v1",
    known=FIELDS | EFFORT | NEWER_LIMIT,
    unknown=Refusal(400, "Unrecognized request argument supplied: {value}", kind=INVALID_REQUEST),
    no_effort=Refusal(
        400,
        "Unsupported parameter: 'reasoning_effort' is not supported with this model.",
        code="unsupported_parameter",
        param="reasoning_effort",
    ),
    without_effort=frozenset({"assistant"}),
    too_long=Refusal(
        400,
        "This model's maximum context length is 8000 tokens, however you requested 9012 tokens.",
        code="context_length_exceeded",
        param="messages",
    ),
    filtered=Refusal(
        400,
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry.",
        code="content_filter",
        param="prompt",
    ),
    no_model=Refusal(
        404,
        "The API deployment for this resource does not exist. If you created the deployment within the last "
        "5 minutes, please wait a moment and try again.",
        code="DeploymentNotFound",
    ),
    bad_image=Refusal(400, "Invalid image data.", code="BadRequest"),
    without_images=frozenset({"reasoner"}),
    usage=UsageWhen.ASKED,
    content_type="application/octet-stream",  # a gateway in front of it names none, or another one
    first_chunk={
        "object": "chat.completion.chunk",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    },
)

_MISTRAL = Family(
    name="mistral",
    responses=False,
    label="Mistral",
    models=("mistral-small-latest", "magistral-small-latest"),
    known=(FIELDS - {"stream_options", "user"}) | {"random_seed", "safe_prompt", "parallel_tool_calls"},
    unknown=Refusal(422, "Extra inputs are not permitted", param="{value}"),
    too_long=Refusal(
        400,
        "Prompt contains 9012 tokens and 0 draft tokens, too large for model with 8000 maximum context "
        "length",
        code="3051",
        kind="invalid_request_prompt",
    ),
    filtered=Refusal(403, "The request was refused by the moderation guardrails", code="3700"),
    no_model=Refusal(400, "Invalid model: {value}", code="1500", kind="invalid_model"),
    bad_image=Refusal(400, "Image input is not enabled for this model", code="3051", kind=INVALID_REQUEST),
    without_images=frozenset({"magistral-small-latest"}),
    form=mistral_form,
    parts=True,
    usage=UsageWhen.LAST,
)

_GROQ = Family(
    name="groq",
    label="Groq",
    models=("llama-3.3-70b-versatile", "openai/gpt-oss-120b"),
    base_path="/openai/v1",
    known=FIELDS | NEWER_LIMIT | EFFORT | {"parallel_tool_calls"},
    unknown=Refusal(400, "property '{value}' is unsupported", kind=INVALID_REQUEST),
    no_effort=Refusal(400, "`reasoning_effort` is not supported with this model", kind=INVALID_REQUEST),
    without_effort=frozenset({"llama-3.3-70b-versatile"}),
    too_long=Refusal(
        400,
        "Please reduce the length of the messages or completion.",
        code="context_length_exceeded",
        param="messages",
    ),
    filtered=Refusal(400, "The prompt was flagged by the content policy.", kind=INVALID_REQUEST),
    no_model=Refusal(
        404,
        "The model `{value}` does not exist or you do not have access to it.",
        code="model_not_found",
        kind=INVALID_REQUEST,
    ),
    bad_image=Refusal(
        400, "messages[1].content must be a string: this model takes no image_url", kind=INVALID_REQUEST
    ),
    without_images=frozenset({"llama-3.3-70b-versatile", "openai/gpt-oss-120b"}),
    reasoning="reasoning",
    content_type="text/event-stream",
)

_DEEPSEEK = Family(
    name="deepseek",
    label="DeepSeek",
    models=("deepseek-reasoner", "deepseek-chat"),
    no_tools=Refusal(
        400,
        "deepseek-reasoner does not support Function Calling",
        code="invalid_request_error",
        kind=INVALID_REQUEST,
    ),
    without_tools=frozenset({"deepseek-reasoner"}),
    too_long=Refusal(
        400,
        "This model's maximum context length is 8000 tokens. However, you requested 9012 tokens (9012 in the "
        "messages, 0 in the completion). Please reduce the length of the messages or completion.",
        code="invalid_request_error",
    ),
    filtered=Refusal(400, "Content Exists Risk", code="invalid_request_error"),
    no_model=Refusal(400, "Model Not Exist", code="invalid_request_error"),
    bad_image=Refusal(
        400,
        "Failed to deserialize the JSON body into the target type: messages[1]: unknown variant `image_url`, "
        "expected `text` at line 1 column 214",
        code="invalid_request_error",
    ),
    without_images=frozenset({"deepseek-reasoner", "deepseek-chat"}),
    reasoning="reasoning_content",
    usage=UsageWhen.LAST,
)

_GEMINI = Family(
    name="gemini",
    responses=False,
    label="Gemini",
    models=("gemini-3.8-flash", "gemma-3-27b-it"),
    base_path="/v1beta/openai",
    known=FIELDS | EFFORT | NEWER_LIMIT,
    unknown=Refusal(400, 'Invalid JSON payload received. Unknown name "{value}": Cannot find field.'),
    no_tools=Refusal(400, "Function calling is not enabled for models/{value}", param=""),
    without_tools=frozenset({"gemma-3-27b-it"}),
    no_system=Refusal(400, "Developer instruction is not enabled for models/{value}", param=""),
    without_system=frozenset({"gemma-3-27b-it"}),
    too_long=Refusal(
        400, "The input token count (9012) exceeds the maximum number of tokens allowed (8000).", param=""
    ),
    filtered=Refusal(400, "The prompt was blocked: PROHIBITED_CONTENT", param=""),
    no_model=Refusal(
        404,
        "models/{value} is not found for API version v1main, or is not supported for generateContent.",
        kind="NOT_FOUND",
        param="",
    ),
    bad_image=Refusal(400, "Unable to process input image. Please retry", param=""),
    without_images=frozenset({"gemma-3-27b-it"}),
    wrong_key=Refusal(400, "API key not valid. Please pass a valid API key.", param=""),
    form=google_form,
    usage=UsageWhen.EVERY,
    calls=Calls.WHOLE,
    content_type="text/event-stream",
)

_ANTHROPIC = Family(
    name="anthropic",
    responses=False,
    label="Anthropic",
    models=("claude-haiku-5-5",),
    known=FIELDS | NEWER_LIMIT,
    too_long=Refusal(400, "prompt is too long: 9012 tokens > 8000 maximum", kind=INVALID_REQUEST),
    filtered=Refusal(400, "Output blocked by content filtering policy", kind=INVALID_REQUEST),
    no_model=Refusal(404, "model: {value}", kind="not_found_error"),
    bad_image=Refusal(400, "Could not process image", kind=INVALID_REQUEST),
    wrong_key=Refusal(401, "invalid x-api-key", kind="authentication_error"),
    content_type="text/event-stream; charset=utf-8",
)

_TOGETHER = Family(
    name="together",
    responses=False,
    label="Together",
    models=("Qwen/Qwen2.5-7B-Instruct-Turbo", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    known=FIELDS | NEWER_LIMIT | EFFORT,
    no_tools=Refusal(
        400, "Function calling is not supported for this model", code="unsupported", kind=INVALID_REQUEST
    ),
    without_tools=frozenset({"Qwen/Qwen2.5-7B-Instruct-Turbo"}),
    too_long=Refusal(
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8000. Given: 9012 `inputs` "
        "tokens and 0 `max_new_tokens`",
        kind=INVALID_REQUEST,
    ),
    filtered=Refusal(400, "The request was flagged by the safety model", kind=INVALID_REQUEST),
    no_model=Refusal(
        404,
        "Unable to access model {value}. Please visit https://api.together.ai/models to view the models",
        code="model_not_available",
        kind=INVALID_REQUEST,
    ),
    bad_image=Refusal(400, "Image inputs are not supported for this model", kind=INVALID_REQUEST),
    without_images=frozenset({"Qwen/Qwen2.5-7B-Instruct-Turbo", "meta-llama/Llama-3.3-70B-Instruct-Turbo"}),
    usage=UsageWhen.LAST,
    finish="eos",
)

_FIREWORKS = Family(
    name="fireworks",
    label="Fireworks",
    models=("accounts/fireworks/models/deepseek-r1",),
    base_path="/inference/v1",
    known=FIELDS | EFFORT,
    unknown=Refusal(
        400, "Extra inputs are not permitted, field: '{value}', value: 'low'", kind=INVALID_REQUEST
    ),
    too_long=Refusal(
        400,
        "The prompt is too long: 9012, model maximum context length: 8000",
        code=INVALID_REQUEST,
        kind=INVALID_REQUEST,
    ),
    filtered=Refusal(400, "The prompt violates the content policy", kind=INVALID_REQUEST),
    no_model=Refusal(404, "Model not found, inaccessible, and/or not deployed", code="NOT_FOUND"),
    bad_image=Refusal(400, "This model does not support image inputs", kind=INVALID_REQUEST),
    without_images=frozenset({"accounts/fireworks/models/deepseek-r1"}),
    thinks_in_text=True,
    usage=UsageWhen.LAST,
)

_XAI = Family(
    name="xai",
    label="xAI",
    models=("grok-4",),
    known=FIELDS | EFFORT | NEWER_LIMIT | {"verbosity"},
    no_effort=Refusal(400, "Model {value} does not support parameter reasoningEffort."),
    without_effort=frozenset({"grok-4"}),
    too_long=Refusal(400, "This model's maximum prompt length is 8000 but the request contains 9012 tokens."),
    filtered=Refusal(403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE"),
    no_model=Refusal(
        404,
        "The model {value} does not exist or your team does not have access to it.",
        code="Some requested entity was not found",
    ),
    bad_image=Refusal(400, "Image inputs are not supported by this model."),
    without_images=frozenset({"grok-4"}),
    wrong_key=Refusal(
        400, "Incorrect API key provided: sa***ey. You can obtain an API key from console.x.ai."
    ),
    form=xai_form,
    reasoning="reasoning_content",
    usage=UsageWhen.EVERY,
)

HOSTED = (
    _OPENROUTER,
    _AZURE,
    _MISTRAL,
    _GROQ,
    _DEEPSEEK,
    _GEMINI,
    _ANTHROPIC,
    _TOGETHER,
    _FIREWORKS,
    _XAI,
)
