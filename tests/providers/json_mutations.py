"""Another value at any place of a JSON document: for the tests of the decoders, and for the soak."""

from collections.abc import Iterator

HUGE = 10**400
NASTY: list[object] = [
    None,
    True,
    -1,
    HUGE,
    -HUGE,
    10**20,
    1e308,
    0.5,
    "",
    "\ud83d",
    "\u2028 \x00",
    "9" * 400,
    "https://[docs]/guide",
    "https://example.com\uff0fpath",
    [],
    {},
    [[]],
    [None],
    [7],
    {"url": 5},
    [{"url": 5, "title": 7}],
    [{"type": "output_text", "text": 7, "annotations": 7}],
]
"""Values of every JSON type where another was expected, and of no sensible size."""


def paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key)
            yield from paths(inner, (*above, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*above, index)
            yield from paths(inner, (*above, index))


def changed(value: object, path: tuple[str | int, ...], new: object, *, missing: bool) -> object:
    """The document with something else at that place, or nothing."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        if missing and not rest:
            return {key: inner for key, inner in value.items() if key != step}
        return {
            key: changed(inner, rest, new, missing=missing) if key == step else inner
            for key, inner in value.items()
        }
    assert isinstance(value, list)
    if missing and not rest:
        return [inner for index, inner in enumerate(value) if index != step]
    return [
        changed(inner, rest, new, missing=missing) if index == step else inner
        for index, inner in enumerate(value)
    ]
