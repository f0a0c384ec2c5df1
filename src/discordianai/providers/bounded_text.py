"""Keeps the text of one answer within what can be shown."""

MOST_TEXT = 1_000_000
"""Characters of an answer that are taken: below the 10 MB of a file on Discord, whatever the script. The
longest answer of today's models, 128,000 tokens, has half of it."""


class BoundedText:
    """Counts what was said; `full` once something of it was left out."""

    def __init__(self) -> None:
        self._room = MOST_TEXT
        self.full = False

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return self._room == MOST_TEXT

    def take(self, words: str) -> str:
        """What of `words` is still taken."""
        taken = "" if self.full else words[: self._room]
        self._room -= len(taken)
        self.full = self.full or len(taken) < len(words)
        return taken
