"""The end of a terminal's text, which can be written again while it grows."""

import os
from collections.abc import Callable, Sequence
from typing import TextIO

from rich.cells import cell_len, chop_cells

SPARE = 2
"""Rows of the screen that the region leaves free."""

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows each drawing at once, others ignore this."""


def printable(text: str) -> str:
    """The text without control characters, which could move the cursor; tabs become spaces."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text.expandtabs(4))


def wrapped(text: str, width: int) -> list[str]:
    """The rows that a text takes, each at most `width` cells wide."""
    rows: list[str] = []
    for line in text.split("\n"):
        while cell_len(line) > width:
            head = chop_cells(line, width)[0]
            space = head.rfind(" ")
            taken = space + 1 if space > width // 2 else len(head)
            rows.append(line[:taken].rstrip())
            line = line[taken:]
        rows.append(line)
    return rows


class LiveRegion:
    """Shows the end of a text that changes; what was finished is never written again.

    A terminal cannot rewrite what has left its screen. So while a text grows, only as much of its end is
    shown as fits, and the whole of it is printed once, when it is finished.
    """

    def __init__(self, out: TextIO, size: Callable[[], os.terminal_size]) -> None:
        """`size` gives the terminal's columns and rows."""
        self._out = out
        self._size = size
        self._rows: list[str] = []

    def show(self, text: str, bar: str = "") -> None:
        """Replace what the region shows by the end of the text, and a bar below it."""
        columns, rows = self._size()
        shown = wrapped(text, columns - 1)[-max(rows - SPARE - bool(bar), 1) :]
        if bar:
            shown.append(bar[: columns - 1])
        if shown != self._rows:
            self._draw(shown)

    def finish(self, text: str) -> None:
        """Clear the region, and print this text for good."""
        self._draw([])
        self._out.write(text)
        self._out.flush()

    def _draw(self, rows: Sequence[str]) -> None:
        """Write those rows that differ. The cursor is at the beginning of the row after the last one."""
        kept = 0
        while kept < min(len(rows), len(self._rows)) and rows[kept] == self._rows[kept]:
            kept += 1
        up = len(self._rows) - kept
        move = f"\x1b[{up}A" if up else ""
        new = "".join(f"{row}\x1b[K\n" for row in rows[kept:])
        self._out.write(f"{_BEGIN}\r{move}{new}\x1b[J{_END}")
        self._out.flush()
        self._rows = list(rows)
