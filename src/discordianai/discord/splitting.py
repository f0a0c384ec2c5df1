"""Cuts an answer into messages that Discord takes. Pure functions.

Nothing is lost or reordered: the parts joined give back the text, but for white space at the joints and for
the fence lines added where a code block runs on.
"""

import re
from dataclasses import dataclass

MESSAGE_LIMIT = 2000
"""Discord's limit for a message, in UTF-16 units here: that is safe whichever way Discord counts."""

_FENCE = re.compile(r"^(`{3,}|~{3,})([^\n`]*)$", re.MULTILINE)

_BREAKS = (
    re.compile(r"\n\s*\n"),  # paragraph
    re.compile(r"\n"),  # line
    re.compile(r"(?<=[.!?…。!?])\s+"),  # sentence
    re.compile(r"\s+"),  # word
)
"""Where a text may be cut, the best place first."""


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open code block: the line that opened it, and the one that closes it."""

    opening: str
    closing: str


def units(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """The messages that carry `text`, each visible and at most `limit` units long."""
    parts = []
    while text.strip():
        part, text = cut(text, limit)
        parts.append(part)
    return parts


def cut(text: str, limit: int = MESSAGE_LIMIT) -> tuple[str, str]:
    """The first message of `text`, and what is left for the next ones.

    A code block that the cut falls into is closed, and what is left opens it again with its language.
    """
    text = text.lstrip("\n")
    if len(text) <= limit and units(text) <= limit:
        return text, ""
    head, rest = _at_a_break(text, _prefix(text, limit))
    fence = _open_fence(head)
    if fence is None or units(fence.opening) > limit // 4:  # that is no language, and leaves no room
        return head, rest
    block = _inside_a_fence(text, _prefix(text, limit - units(fence.closing) - 1))
    return _with_whole_fences(text, *block)


def _with_whole_fences(text: str, head: str, rest: str) -> tuple[str, str]:
    """Close the block that `head` ends in, and let `rest` open it again."""
    fence = _open_fence(head)
    if fence is None:
        return head.rstrip(), rest
    before, _, inside = head.rpartition(fence.opening)
    if not inside.strip() and before.strip():  # nothing of the block fits: the next begins with it
        return before.rstrip(), text[len(before) :]
    return f"{head}\n{fence.closing}", f"{fence.opening}\n{rest}"


def _at_a_break(text: str, room: int) -> tuple[str, str]:
    """Cut at the best break within `room`, but not so early that the message would be mostly empty."""
    for pattern in _BREAKS:
        ends = [match.start() for match in pattern.finditer(text, 0, room + 1) if match.start() <= room]
        if ends and ends[-1] >= room // 2 and text[: ends[-1]].strip():
            return text[: ends[-1]].rstrip(), text[ends[-1] :].lstrip("\n ")
    return text[:room], text[room:]


def _inside_a_fence(text: str, room: int) -> tuple[str, str]:
    """Cut after a whole line: in code, white space counts and sentences do not."""
    end = text.rfind("\n", 1, room + 1)
    if end >= room // 2:
        return text[:end], text[end + 1 :]
    return text[:room], text[room:]


def _prefix(text: str, limit: int) -> int:
    """How many characters of `text` fit into `limit` units."""
    room = 0
    for index, character in enumerate(text):
        room += 2 if character > "\uffff" else 1
        if room > limit:
            return index
    return len(text)


def _open_fence(text: str) -> _Fence | None:
    """The code block that is still open at the end of `text`."""
    fence: _Fence | None = None
    for match in _FENCE.finditer(text):
        marks, info = match.group(1), match.group(2)
        if fence is None:
            fence = _Fence(opening=match.group(0), closing=marks)
        elif marks.startswith(fence.closing) and not info.strip():
            fence = None
    return fence
