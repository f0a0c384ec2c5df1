"""Reads JSON from outside: each accessor gives a value of the kind that was asked for, or an empty one.

A provider's JSON has the shape that the provider gave it. Nothing in it is believed: not that a key is there,
nor what it holds, nor that a number is small or a text well formed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import NoReturn

from discordianai.surrogates import well_formed

Json = dict[str, object]
"""An object, of whatever is in it."""

MOST = 10**12
"""No count of tokens, requests or seconds comes near it; SQLite and floats hold sums of it exactly."""


class NotJson(Exception):
    """The text is no JSON object; the message says nothing of its content."""


def parse(text: str | bytes) -> Json:
    """The object. Raises `NotJson` for anything else, nested too deeply included."""
    try:
        value = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise NotJson(type(error).__name__) from None
    if not isinstance(value, dict):
        raise NotJson(f"a {type(value).__name__}")
    return value


def _refused(constant: str) -> NoReturn:
    """NaN and Infinity, which JSON has not and Python takes."""
    raise ValueError(constant)


def text(table: Mapping[str, object], key: str) -> str:
    """The text there, fit for UTF-8."""
    return well_formed(piece(table, key))


def piece(table: Mapping[str, object], key: str) -> str:
    """The text there, as a part of a longer one: its last character may be the first half of a pair."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def count(table: Mapping[str, object], key: str) -> int | None:
    """The whole number there, from 0 to `MOST`; None where there is none."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST else None


def table(table: Mapping[str, object], key: str) -> Json:
    """The object there."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def tables(table: Mapping[str, object], key: str) -> Iterator[Json]:
    """The objects in the array there."""
    value = table.get(key)
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))
