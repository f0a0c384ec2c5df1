"""How many examples a property is tried with, where that is not the profile's own number."""

from hypothesis import settings

USUAL = 100
"""Of the profile `all`."""


def examples(count: int) -> int:
    """`count` in the profile `all`, and in another one so much more or less as its own number is."""
    return max(1, round(count * settings.default.max_examples / USUAL)) if settings.default else count
