"""Takes `<think>` blocks out of an answer: some servers send a model's reasoning as part of its text."""

import re

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
