"""Finds what should stay whole in a Markdown text: code blocks, links, citations, addresses, inline code.

This is not a parser. Fences follow CommonMark, because a block that is cut is closed and reopened; but any
indentation is allowed, since models indent fences in lists and Discord renders them. Of the other constructs
it knows only as much as keeping them in one piece requires.

Quantifiers are possessive, so that no pattern backtracks.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from discordianai.discord.rendering.characters import units

_ITEM = r"(?:[-*+]|\d{1,9}[.)])[ \t]"
_INDENT = rf"(?P<indent>(?:[ \t>]|{_ITEM})*+)"

_FENCE = re.compile(rf"^{_INDENT}(?P<marks>`{{3,}}+(?=[^`\n]*$)|~{{3,}}+)(?P<info>[^\n]*)$", re.MULTILINE)
_MAY_OPEN = re.compile(rf"{_INDENT}(?:[-*+]|\d{{1,9}}[.)]?|`{{1,2}}|~{{1,2}}|`{{3,}}[^`\n]*|~{{3,}}.*)?\Z")
_MAY_CLOSE = re.compile(r"[ \t>]*+(?:`*+|~*+)\s*\Z")
_QUOTE_LEFT = re.compile(r"\n(?![ \t]*>)")

_PARAGRAPH_ENDS = rf"[ \t>]*+(?:\n|{_ITEM}|#{{1,6}}[ \t]|\||`{{3}}|~{{3}})"
_NEWLINE = rf"\n(?!{_PARAGRAPH_ENDS})"  # within the paragraph

_PLAIN = r"[^\[\]\\\n]++|\\."
_BRACKETED = rf"(?:{_PLAIN}|{_NEWLINE}|\[(?:{_PLAIN})*+\])*+"
_ADDRESS_PART = r"(?:[^\s()<>\\]++|\\.|\((?:[^\s()\\]++|\\.)*+\))*+"
_ADDRESS = rf"(?:<[^<>\n]*+>|{_ADDRESS_PART})"
_TITLE = r"""(?:[ \t]++(?:"[^"\n]*+"|'[^'\n]*+'))?+[ \t]*+"""
_OPEN_TITLE = r"""[ \t]++(?:"[^"\n]*+|'[^'\n]*+)"""
_OPEN_ADDRESS = (
    rf"(?:<[^<>\n]*+|{_ADDRESS_PART}(?:\((?:[^\s()\\]++|\\.)*+)?+|{_ADDRESS}(?:{_TITLE}|{_OPEN_TITLE}))"
)

_LINK_START = rf"\[(?!\[\[)(?<!\\\[){_BRACKETED}"
_LINK = re.compile(rf"{_LINK_START}\]\({_ADDRESS}{_TITLE}\)")
_HALF_LINK = re.compile(rf"{_LINK_START}(?:(?:\[(?:{_PLAIN})*+)?+|\]|\]\({_OPEN_ADDRESS})\\?(?P<open>\Z)")
_CITATION = re.compile(r"\[(?<!\\\[)\^?\d{1,4}(?:[ ]?[,;–-][ ]?\d{1,4})*+\]")
_BARE_ADDRESS = re.compile(
    r"https?://(?:[^\s<>()]++|\([^\s<>()]*+\)|\()*+|(?P<open>h(?:t(?:t(?:ps?(?::/?)?)?)?)?\Z)"
)
_IN_ANGLES = re.compile(r"<[^\s<>]*+(?:>|(?P<open>\Z))")  # addresses, and Discord's mentions, times and emoji
_INLINE_CODE = re.compile(
    rf"(`(?<!\\`)(?<!``)`*+)(?:[^`\n]++|{_NEWLINE}|(?!\1(?!`))`++)*+(?:\1(?!`)|(?P<open>\Z))"
)

LONGEST_LANGUAGE = 30
"""UTF-16 units. A longer word after an opening fence is not a language, and is not repeated."""


Span = tuple[int, int, bool]
"""Something that stays whole: its start, its end, and whether it is complete, or may become so."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced code block. `start` is where its opening line begins, `body` where its code begins."""

    start: int
    body: int
    indent: str
    marks: str
    language: str

    @property
    def opening(self) -> str:
        """The line that reopens the block."""
        return f"{self.indent}{self.marks}{self.language}"

    @property
    def closing(self) -> str:
        """The line that closes the block."""
        return f"{self.indent}{self.marks}"

    @property
    def quote(self) -> str:
        """The prefix of each line if the block is in a quote, else empty."""
        return self.indent if ">" in self.indent else ""


def last_block(text: str, end: int, longest: int) -> tuple[int, CodeBlock | None]:
    """Where the last code block closed by `end` ends (0 if there is none), and the block open at `end`.

    No line of more than `longest` characters opens one, nor one whose fences take more to be repeated.
    """
    edge, seen, opening = 0, 0, None
    for line in _fences(text):
        begin, stop = line.span()
        if begin >= end:
            break
        if opening and (left := _end_of_quote(opening, seen, stop)) is not None:
            edge, opening = left, None
        if opening is None:
            indent, marks, _ = line.groups()
            cost = max(stop - begin, 2 * (len(indent) + len(marks) + 1))
            opening = line if cost <= longest else None
        elif stop <= end and _closes(line, indent, marks):
            edge, opening = stop, None
        seen = stop
    if opening and (left := _end_of_quote(opening, seen, len(text))) is not None and left < end:
        edge, opening = left, None
    return edge, _block(opening, longest) if opening else None


def _fences(text: str) -> Iterator[re.Match[str]]:
    """The lines that may open or close a code block."""
    return _FENCE.finditer(text) if "```" in text or "~~~" in text else iter(())


def _closes(line: re.Match[str], indent: str, marks: str) -> bool:
    """Whether a line closes the block opened by `indent` and `marks`, rather than being code in it."""
    own_indent, own_marks, info = line.groups()
    if not own_marks.startswith(marks) or (info and not info.isspace()) or own_indent.strip(" \t>"):
        return False
    return bool(own_indent.count(">") == indent.count(">"))


def _end_of_quote(opening: re.Match[str], seen: int, end: int) -> int | None:
    """Where the quote around a block ends, and the block with it; None if not between `seen` and `end`."""
    left = _QUOTE_LEFT.search(opening.string, seen, end) if ">" in opening["indent"] else None
    return left.start() if left else None


def _block(opening: re.Match[str], longest: int) -> CodeBlock:
    indent, marks, info = opening.groups()
    body = min(opening.end() + 1, len(opening.string))
    language = (info.split() or [""])[0]
    if units(language) > min(LONGEST_LANGUAGE, longest - 2 * (len(indent) + len(marks) + 1)):
        language = ""
    indent = re.sub(r"[^ \t>]", " ", indent)  # a list's item is not begun again
    return CodeBlock(opening.start(), body, indent, marks, language)


def end_of_closing_line(text: str, at: int, block: CodeBlock) -> int | None:
    """Where the line at `at` ends, if it closes `block`."""
    line = _FENCE.match(text, at)
    return line.end() if line and _closes(line, block.indent, block.marks) else None


def may_open(text: str, at: int) -> bool:
    """Whether the line at `at`, the last of an unfinished text, may become one that opens a code block."""
    return _MAY_OPEN.match(text, at) is not None


def may_close(text: str, at: int) -> bool:
    """Whether the line at `at`, the last of an unfinished text, may become one that closes a code block."""
    return _MAY_CLOSE.match(text, at) is not None


def whole_spans(text: str, start: int, end: int, longest: int, *, growing: bool = False) -> Iterator[Span]:
    """Links, citations and addresses that begin from `start` to `end`, of `longest` characters at most.

    An address in a `growing` text counts as unfinished while a link within it is half-written.
    """
    for pattern in (_CITATION, _IN_ANGLES):
        yield from (span for span in _spans(pattern, text, start, end) if _length(span) <= longest)
    addresses = list(_spans(_BARE_ADDRESS, text, start, end))
    reach = max([end, *(stop for _, stop, _ in addresses)])
    links = list(_nesting_spans(_LINK, text, start, reach, longest))
    half = list(_nesting_spans(_HALF_LINK, text, max(start, len(text) - longest), reach, longest))
    yield from links
    yield from half
    for address in addresses:
        if growing and _first_within(half, address) is not None:
            yield address[0], len(text), False
        elif _length(ended := _before_links(address, links)) <= longest:
            yield ended


def _before_links(address: Span, links: list[Span]) -> Span:
    """An address ends where a link follows it directly, although a `[` may be part of an address."""
    link = _first_within(links, address)
    return address if link is None else (address[0], link, True)


def _first_within(links: list[Span], address: Span) -> int | None:
    """Where the first of `links`, which are sorted, begins within an address; None if none does."""
    at = bisect_right(links, address[0], key=itemgetter(0))
    return links[at][0] if at < len(links) and links[at][0] < address[1] else None


def _length(span: Span) -> int:
    return span[1] - span[0]


def _spans(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Span]:
    """The matches of `pattern` that begin between `start` and `end`."""
    for match in pattern.finditer(text, start):
        if match.start() >= end:
            break
        yield *match.span(), match.lastgroup != "open"


def inline_code_spans(text: str, start: int, end: int, longest: int) -> Iterator[Span]:
    """Inline code that begins from `start` to `end`, of `longest` characters at most."""
    return _nesting_spans(_INLINE_CODE, text, start, end, longest)


def _nesting_spans(pattern: re.Pattern[str], text: str, start: int, end: int, longest: int) -> Iterator[Span]:
    """The same for a pattern whose incomplete or overlong matches may contain further ones."""
    while start < end and (match := pattern.search(text, start)) and match.start() < end:
        begin, stop = match.span()
        finished, fits = match.lastgroup != "open", stop - begin <= longest
        if fits:
            yield begin, stop, finished
        start = stop if fits and finished else begin + 1
