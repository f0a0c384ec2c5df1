"""The error in a provider's response, whatever its form.

The forms are OpenAI's object, its text alone, an array around it (Gemini), fields at the top (vLLM, Mistral),
lists of what is wrong with the body (FastAPI, Mistral, Google), an upstream's error within (OpenRouter), and
the text or HTML of a proxy. Of a form of its own, all texts are read.
"""

import json
import re
from collections.abc import Iterable, Iterator

from discordianai.providers.json_values import Json, NotJson, parse_whole, piece, table, tables
from discordianai.providers.optional_fields import paths_in

LONGEST_MESSAGE = 4000
"""Characters of an error's text that are looked at."""

PATHS = "paths"
"""The key of the places that a refusal names, as a list of texts."""

DEEPEST = 6
"""Levels of an error of unknown form that are looked at."""

_QUOTED = frozenset({"input", "value", "received", "ctx", "url", "request", "body", "prompt"})
"""Keys under which validators repeat what was sent, which may name anything."""

_NOT_SHOWN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.IGNORECASE | re.DOTALL)
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
    value = body.get("error")
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, dict | str) and entry), None)
    if isinstance(value, str) and value:
        return {"message": value} | {key: body[key] for key in ("code", "type") if piece(body, key)}
    if isinstance(value, dict):
        return value
    return body if body.get("object") == "error" else {}


def bare_error(chunk: Json) -> Json:
    """The error in a stream that has only what it says, as FastAPI's; empty where it may be an answer."""
    numbered = any(key in chunk for key in ("code", "status", "status_code"))
    told = bool(chunk.get("detail")) or (numbered and bool(piece(chunk, "message")))
    return chunk if told and _OF_ANSWERS.isdisjoint(chunk) else {}


def refusal(content: str) -> Json:
    """The error in the body of a response that is not a success, with all of its text as its `message`.

    What is no JSON is the message itself.
    """
    try:
        body = parse_whole(content)
    except NotJson:
        shown = _NOT_SHOWN.sub(" ", content) if _HTML.match(content) else content
        return {"message": shown.strip()[:LONGEST_MESSAGE]}
    error = told_error(body) or next(tables(body, "errors"), {}) or body
    message = "\n".join(filter(None, _texts(body, error)))[:LONGEST_MESSAGE]
    paths = [piece(error, "param"), *paths_in(_details(body, error))]
    if not any(paths):
        message = "\n".join(dict.fromkeys((message, *_all_texts(body))))[:LONGEST_MESSAGE].strip()
    code = piece(table(error, "innererror"), "code")
    told: Json = {**error, "message": message, PATHS: [path for path in paths if path][:20]}
    if not piece(told, "type") and piece(error, "status"):
        told["type"] = piece(error, "status")
    return {**told, "code": code} if code and not piece(told, "code") else told


def unquoted(error: Json, sent: Iterable[str]) -> Json:
    """The same error without what its message repeats of these texts: their words say nothing about it."""
    message = piece(error, "message")
    for text in sent:
        for form in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
            if not _ONE_WORD.fullmatch(form):  # one word may just as well be the name of a field
                message = _cut(message, form)
    return {**error, "message": message} if "message" in error else error


def _cut(message: str, quoted: str) -> str:
    start = quoted[:_RECOGNIZED]
    while (at := message.find(start)) >= 0:
        rest = message[at:]
        end = next((i for i, (a, b) in enumerate(zip(rest, quoted, strict=False)) if a != b), None)
        length = min(len(rest), len(quoted)) if end is None else end
        message = message[:at] + "\N{HORIZONTAL ELLIPSIS}" + rest[length:]
    return message


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
