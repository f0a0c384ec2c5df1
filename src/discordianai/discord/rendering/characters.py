"""How Discord counts characters, and which ones a reader sees as one."""

import re
from bisect import bisect_right

import regex

_VISIBLE = r"[^\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]"
VISIBLE = regex.compile(_VISIBLE)
"""A visible character: not white space, a control, a joiner, a direction mark or a blank Braille pattern."""

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
