"""Reads what Discord sends: each value is of a known shape afterwards, or `Malformed` is raised.

JSON carries more than Discord's documentation says: half a surrogate pair, NaN, numbers of any length, and
any value in any place. Values that passed here need no further checks.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from discordianai.text import well_formed

Payload = Mapping[str, Any]
"""A JSON object from Discord: its shape is Discord's, and is read by these functions only."""

Value = str | int | float | bool
"""The type of an option of a command."""

LARGEST_ID = 2**63 - 1
"""The ids that fit into the database; Discord's are below 2^63 until the year 2084."""

LONGEST_NAME = 300
"""Characters of a name: of a person, a file, a type."""

LONGEST_NUMBER = 60
"""Digits."""

_MISSING = object()


class Malformed(Exception):
    """It is not what Discord documents. The text names the key, not its value."""


def text(payload: Payload, key: str, default: str | None = None) -> str:
    """The string under that key; `default` if it is missing or null. Half surrogate pairs are replaced."""
    value = payload.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Malformed(f"{key} is not text")
    return well_formed(value)


def name(payload: Payload, key: str, default: str | None = None) -> str:
    """A string of reasonable length; what is longer is cut."""
    return text(payload, key, default)[:LONGEST_NAME]


def number(payload: Payload, key: str, default: int | None = None) -> int:
    """A whole number that is not negative, written as one or as a string; of at most 60 digits."""
    value = payload.get(key)
    if isinstance(value, str):  # the ids of thousands of servers: faster than a regular expression
        if value.isdecimal() and value.isascii() and len(value) <= LONGEST_NUMBER:
            return int(value)
    elif value is None:
        if default is not None:
            return default
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**LONGEST_NUMBER:
        return value
    raise Malformed(f"{key} is not a number")


def snowflake(payload: Payload, key: str) -> int:
    """An id."""
    found = optional_snowflake(payload, key)
    if found is None:
        raise Malformed(f"{key} is not an id")
    return found


def optional_snowflake(payload: Payload, key: str) -> int | None:
    """An id; None where there is none, or null."""
    if payload.get(key) is None:
        return None
    found = number(payload, key)
    if not 0 < found <= LARGEST_ID:
        raise Malformed(f"{key} is not an id")
    return found


def snowflakes(payload: Payload, key: str) -> frozenset[int]:
    """A list of ids; empty where there is none, or null."""
    return frozenset(snowflake({key: value}, key) for value in _list(payload, key))


def sound_snowflakes(values: object) -> frozenset[int]:
    """The ids among these values; whatever else stands there, or in place of them, is passed over."""
    found = set[int]()
    for value in values if isinstance(values, Iterable) and not isinstance(values, str | Mapping) else ():
        with suppress(Malformed):
            found.add(snowflake({"id": value}, "id"))
    return frozenset(found)


def record(payload: Payload, key: str, *, optional: bool = False) -> Payload:
    """The object under that key; empty where it is `optional` and there is none, or null."""
    value = payload.get(key)
    if value is None and optional:
        return {}
    if not isinstance(value, Mapping):
        raise Malformed(f"{key} is not an object")
    return value


def records(payload: Payload, key: str) -> Iterator[Payload]:
    """The objects of a list; none where there is no list, or null."""
    for value in _list(payload, key):
        if not isinstance(value, Mapping):
            raise Malformed(f"{key} contains something other than objects")
        yield value


def sound_records(payload: Payload, key: str) -> Iterator[Payload]:
    """The objects of a list; whatever else stands there, or in place of the list, is passed over."""
    value = payload.get(key)
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, Mapping))


def sound_record(payload: Payload, key: str) -> Payload:
    """The object under that key; empty where something else stands there."""
    found = payload.get(key)
    return found if isinstance(found, Mapping) else {}


def value(payload: Payload, key: str) -> Value:
    """What somebody has chosen for an option."""
    found = payload.get(key, _MISSING)
    if isinstance(found, str):
        return well_formed(found)
    if isinstance(found, bool | int | float):
        return found
    raise Malformed(f"{key} is not a valid option value")


def _list(payload: Payload, key: str) -> list[Any]:
    value = payload.get(key)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Malformed(f"{key} is not a list")
    return list(value)
