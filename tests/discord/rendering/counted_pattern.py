"""Counts how much of a text a pattern goes over, where the time it takes would tell of the machine."""

from collections.abc import Iterator

import regex


class CountedPattern:
    """Stands for a compiled pattern; `spanned` is the number of characters in all of its matches so far."""

    def __init__(self, pattern: regex.Pattern[str]) -> None:
        self.pattern = pattern
        self.spanned = 0

    def finditer(self, text: str, start: int = 0) -> Iterator[regex.Match[str]]:
        """As the pattern's own."""
        for match in self.pattern.finditer(text, start):
            self.spanned += match.end() - match.start()
            yield match
