"""Shows the progress of long work: a bar on a terminal, occasional lines elsewhere.

Work of less than a second shows nothing.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

PATIENCE = 1.0
"""Seconds before anything is shown."""

REDRAW, NEXT_LINE = 0.1, 10.0
"""Seconds between two states of the bar, and between two lines."""

Report = Callable[[int, int], None]
"""Takes how much is done, and of how much; 0 where nobody knows. To be called often."""


class Display(Protocol):
    """How progress is shown."""

    interval: float

    def show(self, done: int, total: int) -> None:
        """Show the current state."""

    def end(self, seconds: float | None) -> None:
        """End the display, with the time taken; None after a failure."""


@contextmanager
def progress(
    what: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Report]:
    """Yield the function by which the block reports progress of `what` on `stream` (stderr by default)."""
    out = sys.stderr if stream is None else stream
    began = clock()
    next_at = began + PATIENCE
    display: Display | None = None

    def report(done: int, total: int) -> None:
        nonlocal display, next_at
        if (now := clock()) < next_at:
            return
        if display is None:
            display = _Bar(what, out) if out.isatty() else _Lines(what, out)
        next_at = now + display.interval
        display.show(done, total)

    seconds = None
    try:
        yield report
        seconds = clock() - began
    finally:
        if display is not None:
            display.end(seconds)


class _Lines:
    interval = NEXT_LINE

    def __init__(self, what: str, out: TextIO) -> None:
        self._what = what
        self._out = out

    def show(self, done: int, total: int) -> None:
        self._print(f"{100 * done // total} %" if total else "...")

    def end(self, seconds: float | None) -> None:
        if seconds is not None:
            self._print(f"done in {seconds:.0f} s")

    def _print(self, state: str) -> None:
        print(f"{self._what}: {state}", file=self._out, flush=True)


class _Bar:
    interval = REDRAW

    def __init__(self, what: str, out: TextIO) -> None:
        from rich.console import Console  # takes 60 ms, for work that is shown only
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(file=out),
            auto_refresh=False,  # whoever reports has it drawn: no thread
        )
        self._task = self._progress.add_task(what, total=None)
        self._progress.start()

    def show(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total or None, refresh=True)

    def end(self, seconds: float | None) -> None:
        if seconds is not None:
            self._progress.update(self._task, total=1, completed=1)
        self._progress.stop()
