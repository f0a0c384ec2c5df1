"""What is wrong in a document, in sentences: the key's path, and what would be right."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from discordianai.settings import Settings

LONGEST_SHOWN = 20
"""Characters of a value that an error repeats. Discord's tokens and the providers' keys have over 40."""

LONGEST_KEY = 40
"""Characters of a name that an error repeats."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def complaints(error: ValidationError) -> list[str]:
    """A line for each mistake that pydantic found in a document."""
    return [_complaint(details) for details in error.errors(include_url=False)]


def _complaint(details: ErrorDetails) -> str:
    """One line: the key's path, what is wrong, what would be right."""
    path = _path(details["loc"])
    if details["type"] == "extra_forbidden":
        return f"{path}: no such key; {_nearest(details)}"
    message = "should be a table" if details["type"] in {"model_type", "dict_type"} else details["msg"]
    message = message[message.find("should") :] if "should" in message else message
    return f"{path}: {_shown(details)}{message}{_default(details)}"


def _path(parts: Iterable[int | str]) -> str:
    """As TOML writes it: a part that is not plain is quoted. What is as long as a secret is cut."""
    return ".".join(_key(str(part)) for part in parts if part != "[key]")  # pydantic's word for a bad key


def _key(part: str) -> str:
    if len(part) > LONGEST_KEY:
        part = part[:LONGEST_SHOWN] + "…"
    return part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=not part.isprintable())


def _shown(details: ErrorDetails) -> str:
    """The value, if it is short: a secret that came to stand in the wrong place never is."""
    value = details["input"]
    with_password = isinstance(value, str) and "@" in value  # as in http://name:password@host
    if with_password or any(part in {"token", "api_key"} for part in details["loc"]):
        return ""
    return f"{_described(value)} cannot be used: "


def _described(value: object) -> str:
    match value:
        case dict():
            return "a table"
        case list() | tuple():
            return "an array"
        case str() if len(value) > LONGEST_SHOWN:
            return f"a text of {len(value):,} characters"
        case bool():
            return str(value).lower()
        case str():
            return repr(value)
        case int() if abs(value) >= 2**63:
            return "a number beyond 64 bits"
    return str(value)


def _nearest(details: ErrorDetails) -> str:
    *parents, key = details["loc"]
    table = _table_at(parents)
    if table is None:
        return "remove it"
    known = list(table.model_fields)
    if near := difflib.get_close_matches(str(key), known, n=1):
        return f"did you mean {near[0]}?"
    if tables := list(_tables_with(str(key), Settings, ())):
        return f"it belongs in {' or '.join(tables)}"
    return f"known here: {', '.join(known)}"


def _tables_with(key: str, table: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    """The headers of the tables that know the key: it may stand below the wrong one."""
    if path and key in table.model_fields:
        yield f"[{_path(path)}]"
    for name, field in table.model_fields.items():
        if model := _model_of(field):
            chosen = ("NAME",) if get_origin(field.annotation) is dict else ()
            yield from _tables_with(key, model, (*path, name, *chosen))


def _default(details: ErrorDetails) -> str:
    *parents, key = details["loc"]
    table = _table_at(parents)
    field = table.model_fields.get(str(key)) if table else None
    if field is None or field.default is None or isinstance(field.default, BaseModel | tuple):
        return ""
    return f" (the default is {field.default!r})"


def _table_at(path: list[int | str]) -> type[BaseModel] | None:
    table: type[BaseModel] = Settings
    parts = iter(path)
    for part in parts:
        field = table.model_fields.get(str(part))
        model = _model_of(field) if field else None
        if field is None or model is None:
            return None
        if get_origin(field.annotation) is dict:
            next(parts, None)  # a name that the operator chose
        table = model
    return table


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    candidates = (field.annotation, *get_args(field.annotation))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
