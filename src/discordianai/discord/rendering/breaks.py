"""Where a message ends best: behind a paragraph, a line, a sentence, a word, in this order."""

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
"""The wide marks need no space behind them."""

_ROW = re.compile(r"[ \t>]*+(?:\||(?:[-*+]|\d{1,9}[.)])[ \t])|[^\n]* \| ")
_HEADING = re.compile(r"[ \t>]*+#{1,6}[ \t]")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a text that a message ends in: prose, or the code of one block."""

    clusters: Clusters
    start: int  # what is before belongs to the message anyway
    first: int  # the message ends behind this character, which is visible
    room: int  # and here at the latest
    is_code: bool

    @property
    def text(self) -> str:
        """All of the text."""
        return self.clusters.text


def best_end(stretch: Stretch, inner: bytearray) -> int | None:
    """Where the message ends best. `inner` has a 1 for each place inside something that stays whole.

    A break in the message's first half is too early, unless it keeps a row, an item or a line of code whole:
    then only in the first quarter. Without a break the message ends as late as it can, and if that is not
    without tearing something, it is None.
    """
    for ends in _ranked(stretch):
        for end in ends:
            if end > stretch.first and not inner[end] and stretch.clusters.is_boundary(end):
                return end
    end = inner.rfind(0, 0, stretch.room + 1)
    while end > stretch.first:
        boundary = stretch.clusters.last_boundary(end)
        if boundary == end:
            return end
        end = inner.rfind(0, 0, boundary + 1)
    return None


def _ranked(stretch: Stretch) -> Iterator[Iterable[int]]:
    """The breaks of each kind, the best kind first, each from the last one backwards."""
    text, room, start = stretch.text, stretch.room, stretch.start
    half, quarter = max(room // 2, start), max(room // 4, start)
    paragraphs = _starts(_BLANK_LINE, stretch, half)
    if room // 2 <= start <= room and not stretch.is_code:
        paragraphs.append(start)  # a code block ends there
    yield (end for end in paragraphs if not _is_heading(text, end))
    last_line = text.rfind("\n", 0, room) + 1
    is_row = stretch.is_code or _ROW.match(text, last_line, room)
    lines = _starts(_LINE_END, stretch, quarter if is_row else half)
    yield (end for end in lines if not _is_heading(text, end))
    yield lines
    if not stretch.is_code:
        sentences = [match.end() for match in _SENTENCE_END.finditer(text, half, room + 1)]
        yield (end for end in reversed(sentences) if end <= room)
    yield _starts(_SPACE, stretch, half)


def _starts(pattern: re.Pattern[str], stretch: Stretch, start: int) -> list[int]:
    """Where the pattern is found from `start` on, the last place first. Space at the end takes no room."""
    room, reach = stretch.room, end_of_space(stretch.text, stretch.room)
    found = (match.start() for match in pattern.finditer(stretch.text, start))
    ends = (min(end, room) for end in takewhile(lambda end: end <= max(room, reach - 1), found))
    return [*dict.fromkeys(ends)][::-1]  # all that are in the space behind `room` are one place


def _is_heading(text: str, end: int) -> bool:
    """Whether the line before `end` belongs to what comes next."""
    return _HEADING.match(text, text.rfind("\n", 0, end) + 1, end) is not None
