"""Finds the best end for a message: after a paragraph, a line, a sentence or a word, in this order."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from discordianai.discord.rendering.characters import Clusters, end_of_space

_BLANK_LINE = re.compile(r"\n(?=[^\S\n]*\n)")
_LINE_END = re.compile(r"\n")
_SPACE = re.compile(r"\s+")
_SENTENCE_END = re.compile(
    r"""[.!?…。！？]["'”’»)*_\]」』）]*+(?:(?=\s)|(?<=[。！？])(?![。！？])|(?<=[。！？][」』”’）]))"""
)
"""Full-width marks need no space after them."""

_ROW = re.compile(r"[ \t>]*+(?:\||(?:[-*+]|\d{1,9}[.)])[ \t])|[^\n]* \| ")
_HEADING = re.compile(r"[ \t>]*+#{1,6}[ \t]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a text in which a message may end: prose, or the code of one block."""

    clusters: Clusters
    start: int  # everything before belongs to the message
    first: int  # a visible character that the message has to include
    latest: int  # the last possible end
    is_code: bool

    @property
    def text(self) -> str:
        """All of the text."""
        return self.clusters.text


def best_end(stretch: Stretch, inner: bytearray) -> int | None:
    """The best end of the message; `inner` has a 1 for each place inside something that stays whole.

    A break in the first half of the message is too early; one that keeps a row, an item or a line of code
    whole is too early only in the first quarter. Without a break, the message ends as late as possible. None
    if every end would split something.
    """
    for ends in _ranked(stretch):
        for end in ends:
            if end > stretch.first and not inner[end] and stretch.clusters.is_boundary(end):
                return end
    end = inner.rfind(0, 0, stretch.latest + 1)
    while end > stretch.first:
        boundary = stretch.clusters.last_boundary(end)
        if boundary == end:
            return end
        end = inner.rfind(0, 0, boundary + 1)
    return None


def _ranked(stretch: Stretch) -> Iterator[Iterable[int]]:
    """The breaks by kind, the best kind first; those of a kind from the last to the first."""
    text, latest, start = stretch.text, stretch.latest, stretch.start
    half, quarter = max(latest // 2, start), max(latest // 4, start)
    paragraphs = _starts(_BLANK_LINE, stretch, half)
    if latest // 2 <= start <= latest and not stretch.is_code:
        paragraphs.append(start)  # a code block ends there
    yield (end for end in paragraphs if not _is_heading(text, end))
    last_line = text.rfind("\n", 0, latest) + 1
    is_row = stretch.is_code or _ROW.match(text, last_line, latest)
    lines = _starts(_LINE_END, stretch, quarter if is_row else half)
    yield (end for end in lines if not _is_heading(text, end))
    yield lines
    if not stretch.is_code:
        sentences = [match.end() for match in _SENTENCE_END.finditer(text, half, latest + 1)]
        yield (end for end in reversed(sentences) if end <= latest)
    yield _starts(_SPACE, stretch, half)


def _starts(pattern: re.Pattern[str], stretch: Stretch, start: int) -> list[int]:
    """Where the pattern occurs from `start` on, last place first. White space at the end does not count."""
    latest, reach = stretch.latest, end_of_space(stretch.text, stretch.latest)
    found = (match.start() for match in pattern.finditer(stretch.text, start))
    ends = (min(end, latest) for end in takewhile(lambda end: end <= max(latest, reach - 1), found))
    return [*dict.fromkeys(ends)][::-1]  # all breaks in the space after `latest` are one place


def _is_heading(text: str, end: int) -> bool:
    """Whether the line before `end` is a heading, which belongs to what follows."""
    return _HEADING.match(text, text.rfind("\n", 0, end) + 1, end) is not None
