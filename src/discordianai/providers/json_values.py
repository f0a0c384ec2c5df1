"""Reads JSON from outside: each accessor gives a value of the type that was asked for, or an empty one.

A provider may send JSON of any shape. Nothing in it is taken for granted: not that a key exists, nor the type
of its value, nor that a number is small or a text well formed.
"""

import json
import re
from collections.abc import Iterator, Mapping

from discordianai.text import well_formed

Json = dict[str, object]
"""An object, of whatever is in it."""

MOST = 10**12
"""More than any real count of tokens, requests or seconds; SQLite and floats hold sums of it exactly."""


_DIGITS = re.compile(r"[0-9]{1,13}")
_SPACE = re.compile(r"\s*")

MOST_MARKS = 200_000
"""Commas and brackets in a text: it has no more values than these. A small object takes 230 bytes of memory,
thirty times as many as in the text. An answer of half a million characters of code has half as many marks."""

MOST_VALUES = 1000
"""Objects in one text. Some servers forget the empty line between two events, or between a few."""


class NotJson(Exception):
    """The text is not a JSON object; the message quotes nothing of it."""


def parse(text: str | bytes) -> Json:
    """The object. Raises `NotJson` for anything else, nested too deeply and too many values included."""
    return _object(_loaded(text))


def parse_whole(text: str | bytes) -> Json:
    """The same for a whole body, which some put into an array of one. Raises `NotJson`."""
    value = _loaded(text)
    return _object(value[0] if isinstance(value, list) and len(value) == 1 else value)


def parse_all(text: str) -> list[Json]:
    """The objects in a text that has several, each perhaps in an array of one. Raises `NotJson`."""
    values, at, rest = list[Json](), 0, text.strip()
    while at < len(rest):
        if len(values) == MOST_VALUES:
            raise NotJson(f"more than {MOST_VALUES} objects")
        try:
            value, at = _DECODER.raw_decode(rest, at)
        except (ValueError, RecursionError) as error:
            raise NotJson(type(error).__name__) from None
        values.append(_object(value[0] if isinstance(value, list) and len(value) == 1 else value))
        if at < len(rest) and (space := _SPACE.match(rest, at)):
            at = space.end()
    return values


def _loaded(text: str | bytes) -> object:
    if _marks(text) > MOST_MARKS:
        raise NotJson(f"more than {MOST_MARKS} values")
    try:
        value: object = json.loads(text, parse_constant=_absent)
    except (ValueError, RecursionError) as error:
        raise NotJson(type(error).__name__) from None
    return value


def _marks(text: str | bytes) -> int:
    if isinstance(text, str):
        return sum(map(text.count, ",[{"))
    return sum(map(text.count, (b",", b"[", b"{")))


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise NotJson(f"a {type(value).__name__}")
    return value


def _absent(_constant: str) -> None:
    """NaN and Infinity, which are not JSON: such a number is as good as none, and the rest counts."""


_DECODER = json.JSONDecoder(parse_constant=_absent)


def text(table: Mapping[str, object], key: str) -> str:
    """The text at `key`, fit for UTF-8."""
    return well_formed(piece(table, key))


def piece(table: Mapping[str, object], key: str) -> str:
    """The text at `key`, as a part of a longer one: its last character may be half of a surrogate pair."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def count(table: Mapping[str, object], key: str) -> int | None:
    """The integer at `key`, from 0 to `MOST`, or None. Some write it as 3.0, or as "3"."""
    value = table.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST else None


def table(table: Mapping[str, object], key: str) -> Json:
    """The object at `key`."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def tables(table: Mapping[str, object], key: str) -> Iterator[Json]:
    """The objects in the array at `key`."""
    value = table.get(key)
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))
