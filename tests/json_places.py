"""Puts anything into any place of a JSON value: what a peer may send instead of what it should."""

import copy
from collections.abc import Iterator
from typing import Any

MISSING = object()
"""Nothing: the place is not there."""

JsonPath = tuple[str | int, ...]
"""The keys and indexes that lead to a place; empty for the whole value."""


def places(value: object, above: JsonPath = ()) -> Iterator[JsonPath]:
    """Every place in a JSON value, but for the whole of it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from places(inner, (*above, key))


def changed(value: Any, path: JsonPath, other: object) -> Any:
    """A copy with something else in that place; it may be `MISSING`, unless the path is empty."""
    if not path:
        return other
    result = copy.deepcopy(value)
    parent = result
    for key in path[:-1]:
        parent = parent[key]
    if other is MISSING:
        del parent[path[-1]]
    else:
        parent[path[-1]] = other
    return result
