"""Cuts an answer into messages that Discord takes. Pure functions.

Nothing is lost or reordered: the parts joined give back the text, but for white space at the joints and for
the lines added where a code block goes on. No part leaves a code block open.

Links, citations, addresses and inline code stay whole, unless they are longer than a message. Then the limit
wins: the cut is between two grapheme clusters, and within one only if that is longer than a message itself,
together with the invisible characters before it: a message has to show something.

Where a message ends depends on the text as far as `_reach`, mostly on few characters behind the limit. So an
answer can be cut while it is being written: `settled` tells when a cut is final.
"""

from dataclasses import dataclass

from discordianai.discord.rendering.breaks import Stretch, best_end
from discordianai.discord.rendering.characters import (
    VISIBLE,
    Clusters,
    end_of_space,
    first_visible,
    fitting,
    last_boundary,
    last_code_point,
    last_visible,
    units,
)
from discordianai.discord.rendering.markdown import (
    CodeBlock,
    end_of_closing_line,
    inline_code_spans,
    last_block,
    may_close,
    may_open,
    whole_spans,
)

__all__ = ["MESSAGE_LIMIT", "closed", "cut", "settled", "split", "units"]

MESSAGE_LIMIT = 2000
"""Discord's limit for a message, in UTF-16 units here: that is safe whichever way Discord counts."""


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """The messages that carry `text`, each visible and at most `limit` units long.

    Only invisible characters that follow a code block, or are more than a message holds, make a message that
    shows nothing; white space makes none. Raises ValueError for a limit under 2, which does not hold every
    character.
    """
    parts = []
    rest = _Rest(text)
    while rest:
        part, rest, _ = _first(rest, limit)
        if part:
            parts.append(part)
    return parts


def cut(text: str, limit: int = MESSAGE_LIMIT) -> tuple[str, str]:
    """The first message of `text`, and what is left for the next ones; `split` does this again and again.

    If the part ends within a code block, that is closed, and what is left opens it again with its language.
    """
    part, rest, _ = _first(_Rest(text), limit)
    return part, str(rest)


def settled(text: str, limit: int = MESSAGE_LIMIT) -> bool:
    """Whether `cut(text, limit)` is final: with more text it gives the same part, and the same rest and more.

    Show a part as complete when this is true, or when the text has come to its end. It is true as soon as
    something visible follows behind the limit, unless a link, an address, inline code or a fence is
    half-written where the message ends. That holds it up for no more than another message's length.
    """
    _, rest, is_final = _first(_Rest(text), limit, growing=True)
    if not is_final or not rest:
        return False
    # A line that closes the block right behind the cut is left out of the rest.
    return not rest.opening or text.find("\n", rest.at) >= 0 or not may_close(text, rest.at)


def closed(text: str) -> str:
    """`text` without an open code block, so that something else may follow it."""
    _, block = last_block(text, len(text), longest=2 * len(text) + 2)
    return _with_end(text, block)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a text: from `at` on, behind `opening`, which opens a code block again."""

    text: str
    at: int = 0
    opening: str = ""

    def __bool__(self) -> bool:
        return self.at < len(self.text)

    def __str__(self) -> str:
        return self.opening + self.text[self.at :]


def _first(rest: _Rest, limit: int, *, growing: bool = False) -> tuple[str, _Rest, bool]:
    """The first message, what is left then, and whether that is final though the text is still `growing`."""
    if limit < 2:
        raise ValueError(f"a message of {limit} units does not hold every character: the least is 2")
    text, opening = rest.text, rest.opening
    at = rest.at if opening else _skip_space(text, rest.at, limit, rest.at)
    window = (opening + text[at : at + _reach(limit)])[: _reach(limit)]
    end, block, is_final = _end(window, limit, growing=growing and len(window) < _reach(limit))
    left = _left(text, at, at + end - len(opening), block, limit)
    if not left and not block and units(window) <= limit:
        return window, left, is_final  # as it is, with the space at its end
    return _with_end(window[:end].rstrip(), block), left, is_final


def _reach(limit: int) -> int:
    """How much of a text decides: a link that begins within the limit may be as long again, and must end."""
    return 2 * limit + 2


def _left(text: str, start: int, end: int, block: CodeBlock | None, limit: int) -> _Rest:
    """What is left behind a message that begins at `start` and ends at `end`, within `block`."""
    at = _skip_space(text, end, limit, start)
    if block is None or at == len(text):
        return _Rest(text, at)
    closing = end_of_closing_line(text, at, block)
    if closing is not None:  # the line added to the message stands for it
        return _Rest(text, _skip_space(text, closing, limit, start))
    is_line = text[at - 1] == "\n"
    return _Rest(text, at, f"{block.opening}\n{'' if is_line else block.quote}")


def _skip_space(text: str, at: int, limit: int, start: int) -> int:
    """Behind the white space at `at`, but before the indentation of a line; the message begins at `start`."""
    end = end_of_space(text, at)
    if end in {at, len(text)}:
        return end
    is_line = at == 0 or text[at - 1] == "\n"
    line = text.rfind("\n", at, end) + 1 or (at if is_line else end)
    # A mark that combines with the last space keeps it.
    return max(at, last_boundary(text, line if end - line <= limit // 4 else end, start))


def _end(window: str, limit: int, *, growing: bool) -> tuple[int, CodeBlock | None, bool]:
    """Where the first message of `window` ends, the block that it ends within, and whether that is final."""
    whole = window.rstrip()
    if units(whole) <= limit:
        _, block = last_block(whole, len(whole), limit // 2)
        if units(_with_end(whole, block)) <= limit:
            return len(whole), block, not growing
    clusters = Clusters(window)
    room, first = fitting(window, limit), first_visible(window, 0)
    start, block = last_block(window, room, limit // 2)
    is_final = not growing or not _is_undecided(window, room, block, limit // 2)
    if block is None:
        room = _leave_some(clusters, max(first, start), room)
        stretch = Stretch(clusters, start, first, room, is_code=False)
        end, sure = _end_within(stretch, limit, growing=growing)
    else:
        stretch = _code(clusters, block, limit)
        if first < block.start and block.start >= stretch.room // 2:
            return block.start, None, is_final
        longest = limit - units(_with_end(block.opening, block)) - 1
        end, sure = _end_within(stretch, longest, growing=growing)
        if end is None and first < block.start:
            return block.start, None, is_final
    if end is None:
        end = _torn_end(stretch)
    return end, block, is_final and end <= sure


def _code(clusters: Clusters, block: CodeBlock, limit: int) -> Stretch:
    """What fits of a block's code, with the line that closes it."""
    window = clusters.text
    room, first = fitting(window, limit - units(block.closing) - 1), first_visible(window, block.body)
    return Stretch(clusters, block.body, first, _leave_some(clusters, first, room), is_code=True)


def _is_undecided(window: str, room: int, block: CodeBlock | None, longest: int) -> bool:
    """Whether it depends on what follows `window` how the text around `room` is read."""
    line = window.rfind("\n") + 1
    may_be_a_fence = (block is None or block.start == line) and may_open(window, line)
    may_begin = line < room and may_be_a_fence and len(window) - line <= longest
    return may_begin or first_visible(window, room) == len(window)


def _leave_some(clusters: Clusters, first: int, room: int) -> int:
    """`room`, or less of it, so that the next message has something visible too."""
    text = clusters.text
    begin = end_of_space(text, room)
    if begin == len(text) or VISIBLE.search(text, begin, begin + room // 4):
        return room
    boundary = clusters.last_boundary(last_visible(text, first, room))
    return boundary if boundary > first else room


def _end_within(stretch: Stretch, longest: int, *, growing: bool) -> tuple[int | None, int]:
    """Where the message ends in the stretch without tearing anything, and up to where an end is final."""
    text, size = stretch.text, len(stretch.text)
    place = (text, stretch.start, stretch.room, longest)
    whole = list(whole_spans(*place, growing=growing))
    code = [] if stretch.is_code else list(inline_code_spans(*place))
    sure = size
    if growing:  # what reaches the end may go on there, and be too long in the end
        unsure = (begin for begin, end, _ in whole + code if end == size)
        sure = min(unsure, default=size)
    for spans in (whole + code, whole) if code else (whole,):
        inner = bytearray(stretch.room + 1)
        for begin, end, finished in spans:
            if finished and not (growing and end == size):
                inside = min(end, len(inner)) - begin - 1
                inner[begin + 1 : begin + 1 + inside] = b"\1" * inside
        best = best_end(stretch, inner)
        if best is not None:
            return best, sure
    return None, sure


def _torn_end(stretch: Stretch) -> int:
    """As late as possible, where something is too long to stay whole."""
    boundary = stretch.clusters.last_boundary(stretch.room)
    shows = boundary > stretch.first or (stretch.first >= stretch.room and boundary > stretch.start)
    return boundary if shows else last_code_point(stretch.text, stretch.room)


def _with_end(text: str, block: CodeBlock | None) -> str:
    """`text` with `block` closed behind it."""
    if block is None:
        return text
    return text + ("" if text.endswith("\n") else "\n") + block.closing
