"""Declared types for request bodies, and the first place where a body violates them.

A service's request is a tree of `Strict` models: no undeclared field, no value of another type. Where a value
may have several forms, a discriminator picks one, so that an error names the field in the intended form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, ValidationError
from pydantic_core import ErrorDetails

from discordianai.sandbox.providers.api_errors import ApiError

Request = TypeVar("Request", bound=BaseModel)

_MARK = "~"
"""Marks the tags of unions, which are not part of a field's path."""


class Strict(BaseModel):
    """An object with these fields and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


def form(name: str) -> Tag:
    """The tag of one form of a union."""
    return Tag(_MARK + name)


def string_or(other: str) -> Discriminator:
    """A string has the form `string`, everything else the form `other`."""
    return Discriminator(lambda value: _MARK + ("string" if isinstance(value, str) else other))


def by_type(otherwise: Callable[[dict[str, Any]], str | None] = lambda _: None) -> Discriminator:
    """The form is the object's `type`; `otherwise` gives it where that is `message` or missing."""

    def tag(value: object) -> str | None:
        if not isinstance(value, dict):
            return None
        named = value.get("type")
        name = otherwise(value) if named in (None, "message") else named
        return None if name is None else f"{_MARK}{name}"

    return Discriminator(tag)


Text = Annotated[str, form("string")]


class MistakeKind(Enum):
    """The kinds of mistakes."""

    UNKNOWN = auto()
    MISSING = auto()
    TYPE = auto()
    VALUE = auto()
    SMALL = auto()
    LARGE = auto()
    LONG = auto()


_KINDS = {
    "extra_forbidden": MistakeKind.UNKNOWN,
    "missing": MistakeKind.MISSING,
    "union_tag_invalid": MistakeKind.VALUE,
    "literal_error": MistakeKind.VALUE,
    "string_pattern_mismatch": MistakeKind.VALUE,
    "greater_than_equal": MistakeKind.SMALL,
    "less_than_equal": MistakeKind.LARGE,
    "string_too_long": MistakeKind.LONG,
    "too_long": MistakeKind.LONG,
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """Where a body violates its type: `path` as in `input[3].created_by`, `name` as in `created_by`."""

    kind: MistakeKind
    path: str
    name: str
    value: object
    wanted: str
    """What is expected there, in words or as a number."""


def parse(
    declared: type[Request],
    body: object,
    refusal: Callable[[Mistake], ApiError],
    *,
    unknown_first: bool = False,
) -> Request:
    """Validate a body.

    Raises `refusal(mistake)` for its first mistake; with `unknown_first`, an unknown field comes first.
    """
    try:
        return declared.model_validate(body)
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors(include_url=False)]
    if unknown_first:
        mistakes.sort(key=lambda mistake: mistake.kind is not MistakeKind.UNKNOWN)
    raise refusal(mistakes[0])


def _mistake(detail: ErrorDetails) -> Mistake:
    location = [part for part in detail["loc"] if not str(part).startswith(_MARK)]
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    wanted = context.get("expected") or context.get("expected_tags")
    for limit in ("ge", "le", "max_length", "pattern"):
        wanted = context.get(limit, wanted)
    if kind == "union_tag_not_found":
        found_object = isinstance(value, dict)
        wrong = MistakeKind.MISSING if found_object else MistakeKind.TYPE
        wanted = wanted or "an object"
        location += ["type"] * found_object
    else:
        wrong = _KINDS.get(kind, MistakeKind.TYPE)
        location += ["type"] * (kind == "union_tag_invalid")
    if kind == "union_tag_invalid":
        value = context.get("tag", value)
    wanted = str(wanted or _TYPES.get(kind.removesuffix("_type"), kind)).replace(_MARK, "")
    value = value.removeprefix(_MARK) if isinstance(value, str) else value
    return Mistake(wrong, _path(location), str(location[-1]) if location else "", value, wanted)


_TYPES = {
    "string": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "list": "an array",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
}


def type_of(value: object) -> str:
    """JSON's name for it, with an article."""
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a decimal", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")


def _path(location: list[int | str]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")
