"""The endpoints that operators run on their own machines, in November 2026.

Wordings and status codes are those of public reports; docs/endpoints.md has the settings that go with each.
"""

from discordianai.sandbox.providers.endpoints.family import (
    EFFORT,
    FIELDS,
    INVALID_REQUEST,
    NEWER_LIMIT,
    Family,
    Refusal,
    UsageWhen,
    flat_form,
    numbered_form,
    text_form,
)

_OLLAMA = Family(
    name="ollama",
    label="Ollama",
    models=("gemma3", "llama3.3", "qwen3"),
    # Its own structure has these; what it does not have, it passes over in silence.
    known=FIELDS | EFFORT,
    no_tools=Refusal(
        400, "registry.ollama.ai/library/{value}:latest does not support tools", kind="api_error"
    ),
    without_tools=frozenset({"gemma3"}),
    no_effort=Refusal(400, '"{value}" does not support thinking', kind="api_error"),
    without_effort=frozenset({"gemma3", "llama3.3"}),
    too_long=Refusal(400, "prompt too long; exceeded max context length by 812 tokens", kind="api_error"),
    filtered=Refusal(400, "the request was flagged by a content filter", kind="api_error"),
    no_model=Refusal(404, 'model "{value}" not found, try pulling it first', kind="not_found_error"),
    bad_image=Refusal(400, "invalid image input", kind=INVALID_REQUEST),
    without_images=frozenset(
        {"gemma3", "llama3.3", "qwen3"}
    ),  # it wants them as base64, not by their address
    reasoning="reasoning",
    content_type="text/event-stream",
)

_VLLM = Family(
    name="vllm",
    label="vLLM",
    models=("Qwen/Qwen3-8B", "google/gemma-2-9b-it"),
    known=FIELDS | EFFORT | NEWER_LIMIT,
    unknown=Refusal(
        400,
        "[{'type': 'extra_forbidden', 'loc': ('body', '{value}'), 'msg': 'Extra inputs are not permitted'}]",
        kind="BadRequestError",
    ),
    no_tools=Refusal(
        400,
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        kind="BadRequestError",
    ),
    without_tools=frozenset({"Qwen/Qwen3-8B", "google/gemma-2-9b-it"}),
    no_system=Refusal(400, "System role not supported", kind="BadRequestError"),
    without_system=frozenset({"google/gemma-2-9b-it"}),
    too_long=Refusal(
        400,
        "This model's maximum context length is 8000 tokens. However, you requested 9012 tokens (9012 in the "
        "messages, 0 in the completion). Please reduce the length of the messages or completion.",
        kind="BadRequestError",
    ),
    filtered=Refusal(400, "The prompt violates the usage policies of this server.", kind="BadRequestError"),
    no_model=Refusal(404, "The model `{value}` does not exist.", kind="NotFoundError"),
    bad_image=Refusal(400, "At most 0 image(s) may be provided in one prompt.", kind="BadRequestError"),
    without_images=frozenset({"Qwen/Qwen3-8B", "google/gemma-2-9b-it"}),
    form=flat_form,
    reasoning="reasoning_content",
    usage=UsageWhen.EVERY,
)

_LLAMA_CPP = Family(
    name="llama-cpp",
    label="llama.cpp",
    models=("default",),
    any_model=True,
    known=FIELDS | NEWER_LIMIT | EFFORT,
    no_tools=Refusal(500, "tools param requires --jinja flag"),
    without_tools=frozenset({"default"}),
    too_long=Refusal(
        400,
        "the request exceeds the available context size. try increasing the context size or enable context "
        "shift",
        kind="exceed_context_size_error",
    ),
    filtered=Refusal(400, "refused by the content filter"),
    no_model=Refusal(404, "model not found"),
    bad_image=Refusal(
        500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    ),
    without_images=frozenset({"default"}),
    form=numbered_form,
    reasoning="reasoning_content",
)

_LM_STUDIO = Family(
    name="lm-studio",
    label="LM Studio",
    models=("mistral-7b-instruct-v0.3", "qwen3-8b"),
    known=FIELDS | EFFORT,
    no_system=Refusal(
        400,
        'Error rendering prompt with jinja template: "Only user and assistant roles are supported!". '
        "This is usually an issue with the model's prompt template.",
    ),
    without_system=frozenset({"mistral-7b-instruct-v0.3"}),
    too_long=Refusal(
        400,
        "The number of tokens to keep from the initial prompt is greater than the context length. Try to "
        "load the model with a larger context length, or provide a shorter input",
    ),
    filtered=Refusal(400, "blocked by a moderation plugin"),
    no_model=Refusal(404, 'Model "{value}" not found. Please specify a valid model'),
    bad_image=Refusal(400, "Model does not support images. Please use a model that does."),
    without_images=frozenset({"mistral-7b-instruct-v0.3", "qwen3-8b"}),
    form=text_form,
    thinks_in_text=True,
    usage=UsageWhen.NEVER,
)

SELF_HOSTED = (_OLLAMA, _VLLM, _LLAMA_CPP, _LM_STUDIO)
