"""Cuts a text into messages, whole or as it grows.

Nothing is lost or reordered: the joined parts are the text, apart from white space at the cuts and the lines
added where a code block continues. No part leaves a code block open.

Links, citations, addresses and inline code stay whole unless they are longer than a message. Then the limit
wins: the cut falls between two grapheme clusters. It falls within a cluster only if the cluster, with the
invisible characters before it, is itself longer than a message: every message must show something.

Where a message ends depends on the text up to `_lookahead`, usually on a few characters past the limit. So an
answer can be cut while it is being written: `settled` tells when a cut is final.
"""

from dataclasses import dataclass

from discordianai.discord.rendering.characters import (
    VISIBLE,
    Clusters,
    Stretch,
    best_end,
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

TEXT_OF_NOTHING = "…"
"""Discord refuses a message without a visible character."""

__all__ = ["MESSAGE_LIMIT", "closed", "cut", "settled", "split", "units"]

MESSAGE_LIMIT = 2000
"""Discord's limit for a message. Counted in UTF-16 units, which is safe however Discord counts."""


def split(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """The messages that carry `text`, each visible and at most `limit` UTF-16 units long.

    White space alone makes no message. A message shows nothing only if it holds invisible characters that
    follow a code block or exceed the limit. Raises ValueError for a limit under 2, which some characters
    exceed.
    """
    parts = []
    rest = _Rest(text)
    while rest:
        part, rest, _ = _first(rest, limit)
        if part:
            parts.append(part)
    return parts


def cut(text: str, limit: int = MESSAGE_LIMIT) -> tuple[str, str]:
    """The first message of `text` and the remaining text; `split` repeats this.

    If the part ends within a code block, the block is closed and the remaining text reopens it.
    """
    part, rest, _ = _first(_Rest(text), limit)
    return part, str(rest)


def settled(text: str, limit: int = MESSAGE_LIMIT) -> bool:
    """Whether `cut(text, limit)` is final: if text is appended, the part stays and only the rest grows.

    Show a part as complete when this is true or the text has ended. It is true as soon as something visible
    follows past the limit, unless a link, an address, inline code or a fence is half-written where the
    message ends; that delays it by another message's length at most.
    """
    _, rest, is_final = _first(_Rest(text), limit, growing=True)
    if not is_final or not rest:
        return False
    # A line that closes the block right behind the cut is left out of the rest.
    return not rest.opening or text.find("\n", rest.at) >= 0 or not may_close(text, rest.at)


def closed(text: str) -> str:
    """`text` with any open code block closed, so that other text can follow."""
    _, block = last_block(text, len(text), longest=2 * len(text) + 2)
    return _with_end(text, block)


@dataclass(frozen=True, slots=True)
class _Rest:
    """The remaining text: `opening`, which reopens a code block, and the text from `at` on."""

    text: str
    at: int = 0
    opening: str = ""

    def __bool__(self) -> bool:
        return self.at < len(self.text)

    def __str__(self) -> str:
        return self.opening + self.text[self.at :]


def _first(rest: _Rest, limit: int, *, growing: bool = False) -> tuple[str, _Rest, bool]:
    """The first message, the rest, and whether the cut is final even if the text is still `growing`."""
    if limit < 2:
        raise ValueError(f"a message of {limit} units does not hold every character: the least is 2")
    text, opening = rest.text, rest.opening
    at = rest.at if opening else _skip_space(text, rest.at, limit, rest.at)
    window = (opening + text[at : at + _lookahead(limit)])[: _lookahead(limit)]
    end, block, is_final = _end(window, limit, growing=growing and len(window) < _lookahead(limit))
    left = _rest_after(text, at, at + end - len(opening), block, limit)
    if not left and not block and units(window) <= limit:
        return window, left, is_final  # as it is, with the space at its end
    return _with_end(window[:end].rstrip(), block), left, is_final


def _lookahead(limit: int) -> int:
    """Characters that decide a cut: a link may begin just within the limit and be as long as a message."""
    return 2 * limit + 2


def _rest_after(text: str, start: int, end: int, block: CodeBlock | None, limit: int) -> _Rest:
    """The rest after a message from `start` to `end`, which ends within `block`."""
    at = _skip_space(text, end, limit, start)
    if block is None or at == len(text):
        return _Rest(text, at)
    closing = end_of_closing_line(text, at, block)
    if closing is not None:  # the line added to the message stands for it
        return _Rest(text, _skip_space(text, closing, limit, start))
    is_line = text[at - 1] == "\n"
    return _Rest(text, at, f"{block.opening}\n{'' if is_line else block.quote}")


def _skip_space(text: str, at: int, limit: int, start: int) -> int:
    """The end of the white space at `at`, without a line's indentation. The message began at `start`."""
    end = end_of_space(text, at)
    if end in {at, len(text)}:
        return end
    is_line = at == 0 or text[at - 1] == "\n"
    line = text.rfind("\n", at, end) + 1 or (at if is_line else end)
    # A mark that combines with the last space keeps it.
    return max(at, last_boundary(text, line if end - line <= limit // 4 else end, start))


def _end(window: str, limit: int, *, growing: bool) -> tuple[int, CodeBlock | None, bool]:
    """Where the first message of `window` ends, within which block, and whether that is final."""
    whole = window.rstrip()
    if units(whole) <= limit:
        _, block = last_block(whole, len(whole), limit // 2)
        if units(_with_end(whole, block)) <= limit:
            return len(whole), block, not growing
    clusters = Clusters(window)
    latest, first = fitting(window, limit), first_visible(window, 0)
    start, block = last_block(window, latest, limit // 2)
    is_final = not growing or not _is_undecided(window, latest, block, limit // 2)
    if block is None:
        latest = _leave_some(clusters, max(first, start), latest)
        stretch = Stretch(clusters, start, first, latest, is_code=False)
        end, sure = _end_within(stretch, limit, growing=growing)
    else:
        stretch = _code(clusters, block, limit)
        if first < block.start and block.start >= stretch.latest // 2:
            return block.start, None, is_final
        longest = limit - units(_with_end(block.opening, block)) - 1
        end, sure = _end_within(stretch, longest, growing=growing)
        if end is None and first < block.start:
            return block.start, None, is_final
    if end is None:
        end = _forced_end(stretch)
    return end, block, is_final and end <= sure


def _code(clusters: Clusters, block: CodeBlock, limit: int) -> Stretch:
    """The part of a block's code that fits together with the closing line."""
    window = clusters.text
    latest, first = fitting(window, limit - units(block.closing) - 1), first_visible(window, block.body)
    return Stretch(clusters, block.body, first, _leave_some(clusters, first, latest), is_code=True)


def _is_undecided(window: str, latest: int, block: CodeBlock | None, longest: int) -> bool:
    """Whether text after `window` can still change how the text around `latest` is parsed."""
    line = window.rfind("\n") + 1
    may_be_a_fence = (block is None or block.start == line) and may_open(window, line)
    may_begin = line < latest and may_be_a_fence and len(window) - line <= longest
    return may_begin or first_visible(window, latest) == len(window)


def _leave_some(clusters: Clusters, first: int, latest: int) -> int:
    """`latest`, or an earlier end that leaves something visible for the next message."""
    text = clusters.text
    begin = end_of_space(text, latest)
    if begin == len(text) or VISIBLE.search(text, begin, begin + latest // 4):
        return latest
    boundary = clusters.last_boundary(last_visible(text, first, latest))
    return boundary if boundary > first else latest


def _end_within(stretch: Stretch, longest: int, *, growing: bool) -> tuple[int | None, int]:
    """Where the message can end without splitting anything, and up to where an end is final."""
    text, size = stretch.text, len(stretch.text)
    place = (text, stretch.start, stretch.latest, longest)
    whole = list(whole_spans(*place, growing=growing))
    code = [] if stretch.is_code else list(inline_code_spans(*place))
    sure = size
    if growing:  # what reaches the end may go on there, and be too long in the end
        unsure = (begin for begin, end, _ in whole + code if end == size)
        sure = min(unsure, default=size)
    for spans in (whole + code, whole) if code else (whole,):
        inner = bytearray(stretch.latest + 1)
        for begin, end, finished in spans:
            if finished and not (growing and end == size):
                inside = min(end, len(inner)) - begin - 1
                inner[begin + 1 : begin + 1 + inside] = b"\1" * inside
        best = best_end(stretch, inner)
        if best is not None:
            return best, sure
    return None, sure


def _forced_end(stretch: Stretch) -> int:
    """The latest end, where something is too long to stay whole."""
    boundary = stretch.clusters.last_boundary(stretch.latest)
    shows = boundary > stretch.first or (stretch.first >= stretch.latest and boundary > stretch.start)
    return boundary if shows else last_code_point(stretch.text, stretch.latest)


def _with_end(text: str, block: CodeBlock | None) -> str:
    """`text` followed by the line that closes `block`."""
    if block is None:
        return text
    return text + ("" if text.endswith("\n") else "\n") + block.closing


def full_message(tail: str, *, ended: bool) -> tuple[str, str] | None:
    """The first message of `tail` and the rest, where there is more than one and the cut is final."""
    if not (ended or settled(tail)):
        return None
    part, rest = cut(tail)
    return (part, rest) if rest.strip() else None


def paragraphs(text: str, below: str) -> str:
    """Both, `below` as a paragraph of its own; never a text that shows nothing."""
    return "\n\n".join(filter(str.strip, (closed(text.strip("\n")), below))) or TEXT_OF_NOTHING
