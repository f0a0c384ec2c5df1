"""Characters as Discord counts and shows them, and where a text may be cut."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import regex

_VISIBLE = r"[^\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]"
VISIBLE = regex.compile(_VISIBLE)
"""A visible character: not white space, a control, a joiner, a direction mark or a blank Braille pattern."""

_SEPARATORS = regex.compile(r"[\p{Cc}\p{Z}]+")
_UNSEEN = regex.compile(r"[\p{C}\p{Default_Ignorable_Code_Point}\u2800]")
"""Characters that cannot be seen, change the direction of others, or stand for nothing; lone surrogates."""

_LAST_VISIBLE = regex.compile(rf"(?r){_VISIBLE}")

_CLUSTER = regex.compile(
    r"\p{GCB=Prepend}*+(?:\p{RI}\p{RI}|[\ud800-\udbff][\udc00-\udfff])"
    r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+|\X"
)
"""A grapheme cluster, as in Unicode Standard Annex 29.

regex's own cluster pattern handles flags, which are two regional indicators, but counts all that precede
each time; and it does not join surrogate pairs whose halves were decoded separately.
"""

_SURE_BEGINNING = regex.compile(
    r"(?V1)(?r)(?<![\p{GCB=Prepend}\p{GCB=ZWJ}])[\p{GCB=Other}--\p{InCB=Consonant}--\p{Cs}]"
)
"""Searches backwards for a character that begins a cluster whatever precedes it, as most do."""

_SPACE = re.compile(r"\s*")
_PAIR = re.compile(r"[\ud800-\udbff][\udc00-\udfff]")


def units(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    try:
        return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:  # half a pair, which JSON can carry
        return len(text) + sum(character > "\uffff" for character in text)


def fitting(text: str, limit: int) -> int:
    """How many characters of `text` fit into `limit` units."""
    most = min(len(text), limit)
    if units(text[:most]) <= limit:
        return most
    return bisect_right(range(1, most + 1), limit, key=lambda end: units(text[:end]))


def first_visible(text: str, start: int) -> int:
    """The index of the first visible character from `start` on; the text's length if there is none."""
    found = VISIBLE.search(text, start)
    return int(found.start()) if found else len(text)


def seen_on_one_line(text: str) -> str:
    """What can be seen of a short text: with single spaces, and without joiners and marks of direction."""
    return " ".join(_UNSEEN.sub("", _SEPARATORS.sub(" ", text)).split())


def last_visible(text: str, start: int, end: int) -> int:
    """The index of the last visible character between `start` and `end`; `start` if there is none."""
    found = _LAST_VISIBLE.search(text, start, end)
    return int(found.start()) if found else start


def end_of_space(text: str, start: int) -> int:
    """The end of the white space at `start`; `start` if there is none."""
    space = _SPACE.match(text, start)
    return space.end() if space else start


def last_boundary(text: str, at: int, start: int = 0) -> int:
    """The last place at or before `at` where a cut splits no grapheme cluster; the text begins at `start`.

    Looks no further back than necessary. For several places in one text, see `Clusters`.
    """
    if at >= len(text):
        return len(text)
    if start:  # patterns would look at what precedes it
        return start + last_boundary(text[start : at + 1], at - start)
    begin = _SURE_BEGINNING.search(text, 0, at + 1)
    for cluster in _CLUSTER.finditer(text, begin.start() if begin else 0):
        if cluster.end() > at:
            return int(cluster.start())
    raise AssertionError("clusters cover the text to its end")


class Clusters:
    """The grapheme clusters of one text; each character is examined once, however often it is asked about."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._known = bytearray()  # 1 for each character whose cluster was found; made when first needed
        self._begins = bytearray()  # 1 for each character that begins one of these clusters

    def last_boundary(self, at: int) -> int:
        """The last place at or before `at` where a cut splits no cluster. The start of the text is one."""
        if at >= len(self.text):
            return len(self.text)
        if self.text.isascii():
            return at - (self.text[max(at - 1, 0) : at + 1] == "\r\n")
        if not self._known:
            self._known, self._begins = bytearray(len(self.text)), bytearray(len(self.text))
        if not self._known[at]:
            self._find(at)
        return self._begins.rfind(1, 0, at + 1)

    def is_boundary(self, at: int) -> bool:
        """Whether a cut at `at` splits no cluster."""
        if at >= len(self.text) or self.text.isascii():
            return self.last_boundary(at) == at
        if not self._known or not self._known[at]:
            self.last_boundary(at)
        return self._begins[at] == 1

    def _find(self, at: int) -> None:
        """Find the clusters up to the one at `at`, from the last known one or from a certain beginning."""
        begin = self._known.rfind(1, 0, at) + 1  # a cluster ends before it
        if sure := _SURE_BEGINNING.search(self.text, begin, at + 1):
            begin = sure.start()
        for cluster in _CLUSTER.finditer(self.text, begin):
            self._begins[cluster.start()] = 1
            if (end := cluster.end()) > at:
                break
        self._known[begin:end] = b"\1" * (end - begin)


def last_code_point(text: str, at: int) -> int:
    """The last place at or before `at` that is not inside a surrogate pair decoded as two halves."""
    return at - (_PAIR.match(text, at - 1) is not None)


_BLANK_LINE = re.compile(r"\n(?=[^\S\n]*\n)")
_LINE_END = re.compile(r"\n")
_WHITESPACE = re.compile(r"\s+")
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
    yield _starts(_WHITESPACE, stretch, half)


def _starts(pattern: re.Pattern[str], stretch: Stretch, start: int) -> list[int]:
    """Where the pattern occurs from `start` on, last place first. White space at the end does not count."""
    latest, reach = stretch.latest, end_of_space(stretch.text, stretch.latest)
    found = (match.start() for match in pattern.finditer(stretch.text, start))
    ends = (min(end, latest) for end in takewhile(lambda end: end <= max(latest, reach - 1), found))
    return [*dict.fromkeys(ends)][::-1]  # all breaks in the space after `latest` are one place


def _is_heading(text: str, end: int) -> bool:
    """Whether the line before `end` is a heading, which belongs to what follows."""
    return _HEADING.match(text, text.rfind("\n", 0, end) + 1, end) is not None
