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
        (
            r"api.?key (is )?(not valid|invalid|expired|incorrect)",
            r"(invalid|incorrect|missing|no) api.?key",
            r"(missing|invalid) (the )?authori[sz]ation",
            r"authentication (fail|credential)",
            r"invalid (authentication|access|bearer)\b",
        ),
    ),
    (EndpointNotFound, (r"unexpected endpoint", r"(unknown|no such) (endpoint|route|url)")),
    (
        QuotaExhausted,
        (
            r"credit balance",
            r"insufficient (balance|credit|funds)",
            r"account balance",
            r"(more|out of) credits",
        ),
    ),
    (
        ContextTooLong,
        (
            r"context.?(length|window|size|overflow|limit)",
            r"too many (input |prompt )?tokens|(?<!output )(?<!completion )token limit|sequence length",
            r"(maximum|max|range of) input length|input length and",
            r"\d tokens\b.{0,40}\b(more|longer|larger|greater|above|exceed)",
            r"上下文(长度|窗口)|コンテキスト(長|ウィンドウ)|컨텍스트 길이|过长|過長|长度.{0,8}(超|限)|長すぎ",
            r"kontext(fenster|l[äa]nge)|zu lang\b|trop long|demasiado larg|muy larg|слишком длин",
            r"(longitud|ventana|l[íi]mite).{0,20}contexto|(longueur|fen[êe]tre|limite).{0,20}contexte",
            r"(длин|окн).{0,20}контекст",
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
            r"prohibited.?content|inappropriate content|sensitive content",
            r"\b(prompt|input|content|message|question|request)\b.{0,40}\bblocked (due to|because)",
            r"guardrail|敏感|不適切|违规",
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
            r"no endpoints found for|model( ['\"`]?[\w./:-]+['\"`]?)? is not supported\.?$",
            r"mod[eè]le.{0,80}(n'existe pas|introuvable)|modelo.{0,80}no existe|modell.{0,80}nicht gefunden",
            r"模型.{0,40}不存在|モデル.{0,40}(存在しません|見つかりません)",
        ),
    ),
    (
        ImageRefused,
        (
            r"\bimages?\b|\bpictures?\b|图片|图像|画像|\bbild(er)?\b|imagen",
            r"image_?url|base64|content from the provided url",
            r"\bvision\b|multi-?modal|input_file|file_(data|url)",
            r"content\b.{0,40}\ba (valid )?string|a valid string\b.{0,80}\bcontent\b",  # parts are for files
        ),
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
