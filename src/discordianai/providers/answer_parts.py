"""Collects the parts of one answer, each within a bound: text, sources, tool calls.

Some servers send a model's reasoning as part of its text: its `<think>` blocks are taken out.
"""

import re
from collections.abc import Iterable

from discordianai.providers.json_values import Json, NotJson, count, parse, text
from discordianai.records import Citation, Citations, Tool, ToolCall

MOST_TEXT = 1_000_000
"""Characters of an answer: below the 10 MB of a file on Discord, whatever the script. The longest answers of
today's models, of 128,000 tokens, are half as long."""

MOST_SOURCES = 100
LONGEST_URL = 2048
LONGEST_TITLE = 300

HIGHEST_NUMBER = 2 * MOST_SOURCES
"""The highest number of a source that a text can cite; a page that is found twice has two."""

LONGEST_ID = 200
"""Characters of what tells calls apart."""

MOST_OF_ARGUMENTS = 16 * 1024
"""Characters of the arguments of a call. A query has a few dozen."""


class BoundedText:
    """Counts the text of an answer; `full` once something of it was left out."""

    def __init__(self) -> None:
        self._left = MOST_TEXT
        self.full = False

    @property
    def empty(self) -> bool:
        """Whether there was none."""
        return self._left == MOST_TEXT

    def take(self, words: str) -> str:
        """The part of `words` that is still within the bound."""
        taken = "" if self.full else words[: self._left]
        self._left -= len(taken)
        self.full = self.full or len(taken) < len(words)
        return taken


class Sources:
    """The search results of one answer, in the order in which they came.

    A result's `id` is the number by which the text cites it; a page that several searches found has several.
    Where one number stands for two pages, nothing tells which is meant, and results are numbered in order.
    """

    def __init__(self) -> None:
        self._found: dict[str, Citation] = {}
        self._numbered: dict[int, Citation] = {}
        self._ambiguous = False

    def add(self, results: Iterable[Json]) -> bool:
        """Add search results, or annotations; True if `citations` have changed."""
        before = len(self._found), len(self._numbered), self._ambiguous
        for result in results:
            self._add(result)
        return before != (len(self._found), len(self._numbered), self._ambiguous)

    def _add(self, result: Json) -> None:
        url = text(result, "url")
        if not url or len(url) > LONGEST_URL:
            return
        if url not in self._found:
            if len(self._found) >= MOST_SOURCES:
                return
            title, date = text(result, "title")[:LONGEST_TITLE], text(result, "date")[:LONGEST_TITLE]
            self._found[url] = Citation(url, title, date)
        number = _number(result)
        if number is not None:
            known = self._numbered.setdefault(number, self._found[url])
            self._ambiguous = self._ambiguous or known is not self._found[url]

    @property
    def citations(self) -> Citations:
        """`[1]` first; those without a number after the others."""
        numbered = {} if self._ambiguous else self._numbered
        highest = max(numbered, default=0)
        cited = {citation.url for citation in numbered.values()}
        return (
            *(numbered.get(number) for number in range(1, highest + 1)),
            *(citation for url, citation in self._found.items() if url not in cited),
        )


def _number(result: Json) -> int | None:
    """The number by which the text cites a result, if it makes sense; some write it as a string."""
    written = text(result, "id")
    short = written.isascii() and written.isdigit() and len(written) < len(str(HIGHEST_NUMBER)) + 1
    number = int(written) if short else count(result, "id")
    return number if number is not None and 1 <= number <= HIGHEST_NUMBER else None


class ToolCalls:
    """Puts the tool calls of one answer together from the pieces in which they stream, by their keys.

    Only the first call of a tool that was offered counts: providers stream calls of their own tools, too.
    """

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._first: object = None
        self._name = ""
        self._arguments: list[str] = []
        self._length = 0
        self._told = False

    @property
    def begun(self) -> bool:
        """Whether a tool that was offered is called."""
        return self._first is not None

    def add(self, key: object, name: str, arguments: str) -> None:
        """A piece of the call with that key; `name` may come only with the first piece."""
        if self._first is None and name in self._tools:
            self._first = key
        if self._first is None or key != self._first or self._length > MOST_OF_ARGUMENTS:
            return
        self._name = self._name or name
        self._arguments.append(arguments)
        self._length += len(arguments)

    def replace(self, key: object, name: str, arguments: str) -> None:
        """The complete call, if it is the first: it replaces the pieces."""
        if key == self._first and arguments:
            self._arguments, self._length = [], 0
        self.add(key, name, arguments)

    def whole(self, key: object = None) -> ToolCall | None:
        """The call, once, when the one with that key is complete, or all are; None if it is none of ours."""
        tool = self._tools.get(self._name)
        if tool is None or self._told or key not in {None, self._first}:
            return None
        self._told = True
        return ToolCall(tool.name, _argument(tool, "".join(self._arguments)))


def _argument(tool: Tool, arguments: str) -> str:
    """The one text that the tool takes; empty where the model wrote no JSON that has it."""
    try:
        return text(parse(arguments), tool.parameter) if len(arguments) <= MOST_OF_ARGUMENTS else ""
    except NotJson:
        return ""


_NAMES = ("think", "thinking", "thought")
_NAME = rf"(?:{'|'.join(_NAMES)})\s{{0,4}}>"
_OPENING = re.compile(rf"<\s{{0,4}}{_NAME}", re.IGNORECASE)
_CLOSING = re.compile(rf"<\s{{0,4}}/\s{{0,4}}{_NAME}", re.IGNORECASE)
_INDENT = r"[^\S\n]*+"
_UNOPENED = re.compile(rf"^{_INDENT}<\s{{0,4}}/\s{{0,4}}{_NAME}", re.IGNORECASE | re.MULTILINE)
_INDENTED_TAG = rf"{_INDENT}(?P<tag><\s{{0,4}}(?:(?P<slash>/)\s{{0,4}})?{_NAME})"
_TAG_HERE = re.compile(_INDENTED_TAG, re.IGNORECASE)
_TAG_ON_LINE = re.compile(rf"^{_INDENTED_TAG}", re.IGNORECASE | re.MULTILINE)
_CUT = re.compile(r"<\s{0,4}/?\s{0,4}([a-z]*)(\s{0,4})", re.IGNORECASE)
_LONGEST = len("</thinking>") + 12
_FENCES = ("```", "~~~")
_FENCE = re.compile(rf"^{_INDENT}(?:```|~~~)", re.MULTILINE)
_LONGEST_START = 16


class ThoughtFilter:
    """Reads a text in pieces, which may cut a tag anywhere. No piece takes longer than its length allows.

    A block begins at the start of a line, outside code: elsewhere, `<think>` is what the answer is about.
    """

    def __init__(self) -> None:
        self._held = ""
        self._line = ""  # how the line begins that is not complete, without its indentation
        self._fenced = False
        self._after_block = False
        self._any_text = False
        self.inside = False

    def take(self, piece: str) -> str:
        """The part of the text so far that is certain to be the answer's, and was not given before."""
        if not self.inside and not self._held and "<" not in piece:  # the usual case
            return self._text(piece)
        text, self._held = self._held + piece, ""
        at = 0 if self.inside or self._any_text else self._opened_by_template(text)
        given = []
        while at < len(text):
            if self.inside:
                at = self._beyond_block(text, at)
            else:
                shown, at = self._before_block(text, at)
                given.append(shown)
        return "".join(given)

    def close(self) -> str:
        """What was held back at the end of the text; nothing of a block that was never closed."""
        held, self._held = self._held, ""
        return "" if self.inside else self._text(held)

    def _opened_by_template(self, text: str) -> int:
        """Where the text begins behind a first closing tag: some templates open the block in the prompt."""
        end = _UNOPENED.search(text)
        if end is None or _OPENING.search(text, 0, end.start()):
            return 0
        self._after_block = True
        return end.end()

    def _beyond_block(self, text: str, at: int) -> int:
        """Skip to the end of the block; what may be the beginning of its tag is held."""
        end = _CLOSING.search(text, at)
        if end is None:
            self._held = text[max(at, len(text) - _LONGEST + 1) :]
            return len(text)
        self.inside, self._after_block = False, True
        return end.end()

    def _before_block(self, text: str, at: int) -> tuple[str, int]:
        """Text up to the next tag, or up to what may be the beginning of one, and where to go on."""
        tag = _TAG_HERE.match(text, at) or _TAG_ON_LINE.search(text, at)
        if tag is None:
            return self._before_cut(text, at), len(text)
        begin = tag.start("tag")
        shown = self._text(text[at:begin])
        if self._fenced or self._line:
            end = self._end_of_passage(text, begin)
            return shown + self._text(text[begin:end]), end
        if tag["slash"]:
            self._after_block = True
        else:
            self.inside = True
        return shown, tag.end()

    def _before_cut(self, text: str, at: int) -> str:
        begin = text.rfind("<", at)
        if begin < 0 or not _may_be_cut(text[begin:]):
            return self._text(text[at:])
        shown = self._text(text[at:begin])
        if self._fenced or self._line:
            return shown + self._text(text[begin:])
        self._held = text[begin:]
        return shown

    def _end_of_passage(self, text: str, at: int) -> int:
        """Where the line ends that has something before `at`, or the code; no block begins before that."""
        if self._fenced:
            fence = _FENCE.search(text, at)
            return fence.start() if fence else len(text)
        return text.find("\n", at) + 1 or len(text)

    def _text(self, text: str) -> str:
        """Text of the answer; blank lines behind a block are not."""
        if self._after_block:
            text = text.lstrip()
            self._after_block = not text
        if text:
            self._any_text = self._any_text or not text.isspace()
            text_of_lines = self._line + text
            end = text_of_lines.rfind("\n") + 1
            if end and any(fence in text_of_lines for fence in _FENCES):
                self._fenced ^= len(_FENCE.findall(text_of_lines, 0, end)) % 2 == 1
            self._line = text_of_lines[end:].lstrip()[:_LONGEST_START]
        return text


def _may_be_cut(rest: str) -> bool:
    """Whether it may be the beginning of a tag."""
    cut = _CUT.fullmatch(rest)
    if cut is None:
        return False
    name, behind = cut[1].lower(), cut[2]
    return name in _NAMES or (not behind and any(each.startswith(name) for each in _NAMES))
