"""What is wrong in a document, in sentences: the key's path, and what would be right."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from discordianai.settings import keys
from discordianai.settings.tables import Settings

LONGEST_SHOWN = 20
"""Characters of a value that an error repeats. Discord's tokens and the providers' keys have over 40."""

LONGEST_KEY = 40
"""Characters of a name that an error repeats."""

FORMER: Mapping[tuple[int | str, ...], str] = {
    ("openai",): "providers.openai",
    ("perplexity",): "providers.perplexity",
}
"""Tables that had other names."""

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("model_type", "dict_type", "dataclass_type"), "should be a table"),
    **dict.fromkeys(("int_type", "int_from_float"), "should be a whole number"),
    "tuple_type": "should be a list in square brackets",
    "string_type": "should be text in quotes",
    "string_too_short": "should not be empty",
    "bool_type": "should be true or false",
    "float_type": "should be a number",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
}
"""What pydantic says in Python's terms, in TOML's."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def complaints(error: ValidationError) -> list[str]:
    """A line for each mistake that pydantic found in a document."""
    found = error.errors(include_url=False)
    # What else is wrong with a table whose name is wrong is not of interest: it may be no table at all.
    misnamed = {_table_of(details) for details in found if details["type"] == "provider_name"}
    return [
        _complaint(details)
        for details in found
        if details["type"] == "provider_name" or details["loc"][:2] not in misnamed
    ]


def _table_of(details: ErrorDetails) -> tuple[int | str, ...]:
    return details["loc"][:2]  # as in [providers.NAME]


def _complaint(details: ErrorDetails) -> str:
    """One line: the key's path, what is wrong, what would be right."""
    path = _path(details["loc"])
    match details["type"]:
        case "provider_name" if placed := _misplaced(details):
            return f"{path}: no such key; {placed}"
        case "extra_forbidden" | "unexpected_keyword_argument" if now := FORMER.get(details["loc"]):
            return f"{path}: [{path}] is now [{now}]"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"{path}: no such key; {_nearest(details)}"
        case "missing":
            return f"{path}: missing; {_needed(details)}"
    words = _WORDS.get(details["type"])
    bounds = {
        name: int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        for name, bound in details.get("ctx", {}).items()
    }
    message = words.format(**bounds) if words else details["msg"]
    message = message.replace("less than inf", "a finite number")
    message = message[message.find("should") :] if "should" in message else message
    return f"{path}: {_shown(details)}{message}{_default(details)}"


def _path(parts: Iterable[int | str]) -> str:
    """As TOML writes it: a part that is not plain is quoted. What is as long as a secret is cut."""
    return ".".join(_key(str(part)) for part in parts if part != "[key]")  # pydantic's word for a bad key


def _key(part: str) -> str:
    if len(part) > LONGEST_KEY:
        part = part[:LONGEST_SHOWN] + "…"
    return part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=not part.isprintable())


def _needed(details: ErrorDetails) -> str:
    """Who needs it; perhaps that name is a slip."""
    *parents, _ = details["loc"]
    *above, name = parents
    known = _known_in(above) or ()
    instead = details.get("ctx", {}).get("instead")
    needs = f"[{_path(parents)}] needs it" + (f", or a {instead}" if instead else "")
    if name not in known and (near := difflib.get_close_matches(str(name), known, n=1)):
        return f"{needs}; did you mean [{_path((*above, near[0]))}]?"
    return needs


def _shown(details: ErrorDetails) -> str:
    """The value, if it is short: a secret that came to stand in the wrong place never is."""
    value = details["input"]
    # As in http://name:password@host, and in postgresql://host/name?password=...
    with_password = isinstance(value, str) and ("@" in value or "password" in value.lower())
    if (
        is_dataclass(value)
        or isinstance(value, BaseModel)
        or with_password
        or any(part in keys.SECRETS for part in details["loc"])
    ):
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
    known = _known_in(parents)
    if known is None:
        return "remove it"
    if near := difflib.get_close_matches(str(key), known, n=1):
        return f"did you mean {near[0]}?"
    return _belongs(str(key)) or f"known here: {', '.join(known)}"


def _misplaced(details: ErrorDetails) -> str:
    """Where the key belongs that stands in place of a provider's table; empty for what may well be one."""
    name = str(details["input"])
    return _belongs(name) if "_" in name else ""  # no provider has one in its name


def _belongs(key: str) -> str:
    """Empty where no table knows the key."""
    tables = list(_tables_with(key, Settings, ()))
    return f"it belongs in {' or '.join(tables)}" if tables else ""


def _tables_with(key: str, table: type, path: tuple[str, ...]) -> Iterator[str]:
    """The headers of the tables that know the key: it may stand below the wrong one."""
    within = keys.tables_within(table)
    if path and key in within:
        yield f"[{_path(path)}]"
    for name, kind in within.items():
        below = (*path, "NAME" if name == keys.NAME else name)
        if keys.is_mapping(kind):
            kind, below = get_args(keys.plain(kind))[1], (*below, "NAME")
        if keys.is_table(kind):
            yield from _tables_with(key, keys.plain(kind), below)


def _default(details: ErrorDetails) -> str:
    declared = keys.find(tuple(map(str, details["loc"])))
    if details["type"] in {"dialect", "agent_model"} or declared is None:
        return ""
    if declared.default in (None, keys.MISSING) or isinstance(declared.default, tuple):
        return ""
    return f" (the default is {declared.default!r})"


def _known_in(path: Iterable[int | str]) -> list[str] | None:
    """The names that are known in the table there; None where there can be no table of known names."""
    found: Any = Settings
    for part in path:
        if keys.is_mapping(found):
            found = get_args(keys.plain(found))[1]
        elif keys.is_table(found):
            within = keys.tables_within(keys.plain(found))
            found = within.get(str(part), within.get(keys.NAME))
        else:
            return None
    if not keys.is_table(found):
        return None
    return [name for name in keys.tables_within(keys.plain(found)) if name != keys.NAME]
