"""The error in a provider's response, whatever its form, and what it says in words.

The forms are OpenAI's object, its text alone, an array around it (Gemini), fields at the top (vLLM, Mistral),
lists of what is wrong with the body (FastAPI, Mistral, Google), an upstream's error within (OpenRouter), and
the text or HTML of a proxy. Of a form of its own, all texts are read. The words count because most imitations
have one code, and one type, for everything.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator, Sequence

from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    EndpointNotFound,
    FileRefused,
    ModelNotFound,
    ProviderError,
    QuotaExhausted,
    ToolsRefused,
)
from discordianai.providers.json_values import Json, NotJson, parse_whole, piece, table, tables
from discordianai.providers.optional_fields import OptionalField, named_first, named_in_paths, paths_in
from discordianai.waits import named_wait

LONGEST_MESSAGE = 4000
"""Characters of an error's text that are looked at."""

PATHS = "paths"
"""The key of the places that a refusal names, as a list of texts."""

DEEPEST = 6
"""Levels of an error of unknown form that are looked at."""

_QUOTED = frozenset({"input", "value", "received", "ctx", "url", "request", "body", "prompt"})
"""Keys under which validators repeat what was sent, which may name anything."""

WAIT = "retry_after"
"""The key of the wait that an error names, in seconds, whatever its own key for it."""

_WAIT_UNITS = {
    **dict.fromkeys(("retryafter", "retryafterseconds", "retryaftersecs", "retrydelay"), 1.0),
    **dict.fromkeys(("retryafterms", "retryaftermilliseconds", "retrydelayms"), 1e-3),
}
"""Seconds of a number under a key that names a wait; of the key only the letters, in lower case."""

_NO_LETTER = re.compile(r"[^a-z]")

_MARKUP = re.compile(r"(<!--|<(?:script|style|head)\b)|<[^<>]*>", re.IGNORECASE)
_ELEMENT = re.compile(r"<[^<>]*>")
_ENDS = {
    "<!--": re.compile("-->"),
    **{f"<{name}": re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("script", "style", "head")},
}
"""Where that ends of which a page shows nothing, by how it begins."""

_OF_ANSWERS = frozenset({"choices", "output", "usage", "type", "id", "delta"})

_ONE_WORD = re.compile(r"[\w.\[\]-]*", re.ASCII)
_RECOGNIZED = 16
"""Characters at the beginning of a text by which it is recognized where it is quoted in part."""

_HTML = re.compile(r"\s*<(!doctype|html|head|body|title|h1|p|pre|center)\b", re.IGNORECASE)


def paths_of(error: Json) -> list[str]:
    """The places in the request that an error names."""
    told = error.get(PATHS)
    paths = [path for path in told if isinstance(path, str)] if isinstance(told, list) else []
    return paths or [path for path in (piece(error, "param"),) if path]


def told_error(body: Json) -> Json:
    """The error that a chunk, an event or a whole answer tells of; empty where it tells of none."""
    error = _told_error(body)
    wait = told_wait(body) if error else None
    return error if wait is None else {**error, WAIT: wait}


def _told_error(body: Json) -> Json:
    value = body.get("error")
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, dict | str) and entry), None)
    if isinstance(value, str) and value:
        return {"message": value} | {key: body[key] for key in ("code", "type") if piece(body, key)}
    if isinstance(value, dict):
        return value
    return body if body.get("object") == "error" else {}


def told_wait(error: Json) -> float | None:
    """Seconds that an error asks to wait, wherever in it that stands; None where it doesn't say."""
    return max(_waits(error, time.time()), default=None)


def _waits(value: object, now: float, deep: int = 0) -> Iterator[float]:
    if deep >= DEEPEST or not isinstance(value, list | dict):
        return
    entries = value.items() if isinstance(value, dict) else [("", entry) for entry in value[:20]]
    for key, entry in entries:
        unit = _WAIT_UNITS.get(_NO_LETTER.sub("", key.lower()))
        if unit is not None and (wait := named_wait(entry, now, unit)) is not None:
            yield wait
        elif key.lower() not in _QUOTED:
            yield from _waits(entry, now, deep + 1)


def bare_error(chunk: Json) -> Json:
    """The error in a stream that has only what it says, as FastAPI's; empty where it may be an answer."""
    if not _OF_ANSWERS.isdisjoint(chunk):
        return {}
    numbered = any(key in chunk for key in ("code", "status", "status_code"))
    told = bool(chunk.get("detail")) or (numbered and bool(piece(chunk, "message")))
    return chunk if told else {}


def refusal(content: str) -> Json:
    """The error in the body of a response that is not a success, with all of its text as its `message`.

    What is no JSON is the message itself.
    """
    try:
        body = parse_whole(content)
    except NotJson:
        shown = _shown(content) if _HTML.match(content) else content
        return {"message": shown.strip()[:LONGEST_MESSAGE]}
    error = _told_error(body) or next(tables(body, "errors"), {}) or body
    message = "\n".join(filter(None, _texts(body, error)))[:LONGEST_MESSAGE]
    paths = [piece(error, "param"), *paths_in(_details(body, error))]
    if not any(paths):
        message = "\n".join(dict.fromkeys((message, *_all_texts(body))))[:LONGEST_MESSAGE].strip()
    code = piece(table(error, "innererror"), "code")
    told: Json = {**error, "message": message, PATHS: [path for path in paths if path][:20]}
    if (wait := told_wait(body)) is not None:
        told[WAIT] = wait
    if not piece(told, "type") and piece(error, "status"):
        told["type"] = piece(error, "status")
    return {**told, "code": code} if code and not piece(told, "code") else told


def _shown(page: str) -> str:
    """What an HTML page shows. Nothing that it opens and never closes is searched for more than once."""
    shown, at, ends = list[str](), 0, dict(_ENDS)
    while markup := _MARKUP.search(page, at):
        begin, kind = markup.start(), (markup[1] or "").lower()
        end: re.Match[str] | None = markup
        if kind:
            end = ends[kind].search(page, markup.end()) if kind in ends else None
            if end is None:
                ends.pop(kind, None)
                end = _ELEMENT.match(page, begin)
        shown += [page[at:begin], " "] if end else [page[at : markup.end()]]
        at = (end or markup).end()
    return "".join((*shown, page[at:]))


def unquoted(error: Json, sent: Iterable[str]) -> Json:
    """The same error without what its message repeats of these texts: their words say nothing about it."""
    message = piece(error, "message")
    for text in sent:
        for form in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
            if not _ONE_WORD.fullmatch(form):  # one word may just as well be the name of a field
                message = _cut(message, form)
    return {**error, "message": message} if "message" in error else error


def _cut(message: str, quoted: str) -> str:
    """What stands for the text is not looked at again: it may be the text itself."""
    start, kept, at = quoted[:_RECOGNIZED], list[str](), 0
    while (found := message.find(start, at)) >= 0:
        end = found + len(start)
        while end < len(message) and message[end] == quoted[end - found : end - found + 1]:
            end += 1
        kept += [message[at:found], "\N{HORIZONTAL ELLIPSIS}"]
        at = end
    return "".join((*kept, message[at:]))


def _texts(body: Json, error: Json) -> Iterator[str]:
    """Every sentence about what is wrong; never what a validator quotes of the input."""
    yield piece(error, "message") or piece(error, "detail") or piece(body, "detail") or piece(body, "message")
    yield from (
        piece(detail, key) for detail in _details(body, error) for key in ("msg", "message", "description")
    )
    yield piece(table(error, "metadata"), "raw")  # OpenRouter passes on what its upstream said


def _all_texts(value: object, deep: int = 0) -> Iterator[str]:
    """Of an error of any form: its texts, and the keys of those that list what is wrong with a field."""
    if isinstance(value, str):
        yield value
    elif deep < DEEPEST and isinstance(value, list):
        for entry in value[:20]:
            yield from _all_texts(entry, deep + 1)
    elif deep < DEEPEST and isinstance(value, dict):
        for key, entry in value.items():
            if key.lower() in _QUOTED or key in {"type", "code"}:
                continue
            if isinstance(entry, list):
                yield key
            yield from _all_texts(entry, deep + 1)


def _details(body: Json, error: Json) -> Iterator[Json]:
    for place in (error, table(error, "message"), body, _written(piece(error, "message"))):
        yield from tables(place, "detail")
    yield from tables(error, "message")
    for detail in tables(error, "details"):
        yield from tables(detail, "fieldViolations")


def _written(message: str) -> Json:
    """A message may be JSON itself."""
    try:
        return parse_whole(message) if message.lstrip()[:1] in {"{", "["} else {}
    except NotJson:
        return {}


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
        FileRefused,
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
