"""Values to put into any place of a JSON document: for the tests of the decoders, and for the soak."""

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
