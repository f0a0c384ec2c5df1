"""Collects the parts of one answer, each within a bound: text, sources, tool calls.

Some servers send a model's reasoning as part of its text: its `<think>` blocks are taken out.
"""

import re
from collections.abc import Iterable

from discordianai.providers.json_values import Json, NotJson, count, parse, text
from discordianai.records import Citation, Citations, Tool, ToolCall

MOST_TEXT = 1_000_000
"""Characters of an answer: below the 10 MB of a file on Discord, whatever the script. The longest answers of
today's models, of 128,000 tokens, have half of it."""

MOST_SOURCES = 100
LONGEST_URL = 2048
LONGEST_TITLE = 300

HIGHEST_NUMBER = 2 * MOST_SOURCES
"""The highest number of a source that a text can cite; a page that is found twice has two."""

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
_NAME = rf"\s{{0,4}}({'|'.join(_NAMES)})\s{{0,4}}>"
_OPENING = re.compile(f"<{_NAME}", re.IGNORECASE)
_CLOSING = re.compile(rf"<\s{{0,4}}/{_NAME}", re.IGNORECASE)
_UNOPENED = re.compile(rf"^\s*<\s{{0,4}}/{_NAME}", re.IGNORECASE | re.MULTILINE)
_CUT = re.compile(r"<\s{0,4}/?\s{0,4}([a-z]*)(\s{0,4})", re.IGNORECASE)
_LONGEST = len("</thinking>") + 12
_FENCES = ("```", "~~~")
_LONGEST_START = 16


class ThoughtFilter:
    """Reads a text in pieces, which may cut a tag anywhere.

    A block begins at the start of a line, outside code: elsewhere, `<think>` is what the answer is about.
    """

    def __init__(self) -> None:
        self._held = ""
        self._line = ""
        self._fenced = False
        self._after_block = False
        self._any_text = False
        self.inside = False

    def take(self, piece: str) -> str:
        """The part of the text so far that is certain to be the answer's, and was not given before."""
        if not self.inside and not self._held and "<" not in piece:  # the usual case
            return self._text(piece)
        rest, self._held = self._held + piece, ""
        rest = rest if self.inside or self._any_text else self._opened_by_template(rest)
        given = []
        while rest:
            text, rest = self._beyond_block(rest) if self.inside else self._before_block(rest)
            given.append(text)
        return "".join(given)

    def close(self) -> str:
        """What was held back at the end of the text; nothing of a block that was never closed."""
        held, self._held = self._held, ""
        return "" if self.inside else self._text(held)

    def _opened_by_template(self, rest: str) -> str:
        """Without what precedes a closing tag: some templates open the block in the prompt."""
        end, beginning = _UNOPENED.search(rest), _OPENING.search(rest)
        if end is None or (beginning is not None and beginning.start() < end.start()):
            return rest
        self._after_block = True
        return rest[end.end() :]

    def _beyond_block(self, rest: str) -> tuple[str, str]:
        """Skip to the end of the block; what may be the beginning of its tag is held."""
        end = _CLOSING.search(rest)
        if end is None:
            self._held = rest[-_LONGEST + 1 :]
            return "", ""
        self.inside, self._after_block = False, True
        return "", rest[end.end() :]

    def _before_block(self, rest: str) -> tuple[str, str]:
        """Text up to the next tag, or up to what may be the beginning of one."""
        at = rest.find("<")
        if at < 0:
            return self._text(rest), ""
        text = self._text(rest[:at])
        rest = rest[at:]
        if self._fenced or self._line.strip():
            return text + self._text("<"), rest[1:]
        if opening := _OPENING.match(rest):
            self.inside = True
            return text, rest[opening.end() :]
        if closing := _CLOSING.match(rest):
            self._after_block = True
            return text, rest[closing.end() :]
        if _may_be_cut(rest):
            self._held = rest
            return text, ""
        return text + self._text("<"), rest[1:]

    def _text(self, text: str) -> str:
        """Text of the answer; blank lines behind a block are not."""
        if self._after_block:
            text = text.lstrip()
            self._after_block = not text
        if text:
            self._any_text = self._any_text or bool(text.strip())
            *lines, last = (self._line + text).split("\n")
            self._fenced ^= sum(line.lstrip().startswith(_FENCES) for line in lines) % 2 == 1
            self._line = last[:_LONGEST_START]
        return text


def _may_be_cut(rest: str) -> bool:
    """Whether it may be the beginning of a tag."""
    cut = _CUT.fullmatch(rest)
    if cut is None:
        return False
    name, behind = cut[1].lower(), cut[2]
    return name in _NAMES or (not behind and any(each.startswith(name) for each in _NAMES))
