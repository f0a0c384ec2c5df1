"""What a refusal says in words: most imitations have one code, and one type, for everything."""

import re
from collections.abc import Sequence

from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    EndpointNotFound,
    ImageRefused,
    ModelNotFound,
    ProviderError,
    QuotaExhausted,
    ToolsRefused,
)
from discordianai.providers.optional_fields import OptionalField, named_first, named_in_paths

_WORDS: tuple[tuple[type[ProviderError], tuple[str, ...]], ...] = (
    (
        AuthenticationFailed,
        (r"api.?key (is )?(not valid|invalid|expired|incorrect)", r"(invalid|incorrect) api.?key"),
    ),
    (EndpointNotFound, (r"unexpected endpoint", r"(unknown|no such) (endpoint|route|url)")),
    (QuotaExhausted, (r"credit balance", r"insufficient (balance|credit|funds)", r"(more|out of) credits")),
    (
        ContextTooLong,
        (
            r"context.?(length|window|size|overflow)",
            r"prompt length",
            r"reduce the length of",
            r"tokens to keep",
            r"input token count",
            r"(prompt|input|conversation|request|messages?) (is|are|was) too (long|large)",
            r"prompt contains \d+ tokens",
            r"`inputs` tokens \+",
            r"(input|prompt) tokens?\b.{0,60}\bexceed",
        ),
    ),
    (
        ContentFiltered,
        (
            r"content.?(management|usage)?.?polic",
            r"content.?filter",
            r"responsible.?ai",
            r"moderation",
            r"flagged",
            r"content exists risk",
            r"safety (system|polic|filter|setting)",
            r"prohibited.?content",
            r"violat.{0,40}(polic|guideline)",
        ),
    ),
    (
        ModelNotFound,
        (
            r"model\b.{0,120}\b(not exist|not found|decommissioned)",
            r"model\b.{0,120}\b(been (deprecated|retired)|no longer (available|supported))",
            r"(no such|unknown|invalid|unrecognized) model",
            r"not a valid model",
            r"^model: |unable to access model",
            r"deployment.{0,60}does not exist",
            r"no models? (is |are )?loaded",
        ),
    ),
    (
        ImageRefused,
        (r"\bimages?\b", r"image_?url", r"\bvision\b", r"multi-?modal", r"input_file", r"file_(data|url)"),
    ),
)

_PATTERNS = tuple((kind, re.compile("|".join(words), re.IGNORECASE)) for kind, words in _WORDS)

_WORDED = frozenset({400, 403, 404, 422, 424, 500})
"""Status codes under which words count."""

_NOT_TAKEN = ("support", "unknown", "unrecognized", "not permitted", "require", "not enabled", "disabled")
"""Words by which endpoints say that they do not take something."""

_SAID_UNDER_ANY_STATUS = frozenset(
    {OptionalField.SYSTEM_ROLE, OptionalField.EFFORT, OptionalField.STREAM_OPTIONS}
)
"""What templates of models refuse, which llama.cpp and others call an error of the server."""

_ALWAYS_SENT = frozenset({"store", "model", "max_tokens", "max_output_tokens"})
_LIMIT = re.compile(r"\bmax_(output_)?tokens\b")


def by_words(status: int, message: str, paths: Sequence[str]) -> type[ProviderError] | None:
    """What a refusal means by its message and the places in the request that it names; None: that is open."""
    if status not in _WORDED:
        return None
    words = " ".join((message, *paths))
    for kind, pattern in _PATTERNS:
        if pattern.search(words):
            return kind
    not_taken = any(word in words.lower() for word in _NOT_TAKEN)
    named = named_in_paths(paths) or named_first(message)
    # OpenAI's newer models refuse functions in chat completions by naming the effort that they would go with.
    with_effort = "reasoning_effort" in paths and "tool" in message.lower()
    by_path = any(path.startswith("tool") for path in paths)
    if by_path or (not_taken and (OptionalField.TOOLS in named or with_effort)):
        return ToolsRefused
    if status in {404, 500} and not_taken and named & _SAID_UNDER_ANY_STATUS:
        return BadRequest
    return None


def names_what_stays(message: str, paths: Sequence[str]) -> bool:
    """Whether the refusal is about a field that is sent in any case."""
    return not _ALWAYS_SENT.isdisjoint(paths) or _LIMIT.search(message) is not None
