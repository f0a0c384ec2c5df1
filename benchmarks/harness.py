"""What all benchmarks share: the command line, rounds that alternate, percentiles, and the report.

A benchmark is a module with `main(arguments)`, which prints tables in Markdown and returns the exit status: 1
if a bound was missed. Its docstring says which question it answers, against which baseline, and what is
required.
"""

import argparse
import datetime
import logging
import operator
import os
import platform
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import structlog

T = TypeVar("T")

_BOUND = re.compile(r"(<=|>=|<|>|)\s*(\d+(?:\.\d+)?)(?![\d,])")
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "": operator.eq,
}


def command_line(description: str | None, *, rounds: int | None = None) -> argparse.ArgumentParser:
    """A parser with `--quick`, and with `--rounds` for a benchmark that alternates so many by default."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only see that it runs; its figures say little")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds, help=f"of each candidate ({rounds})")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; a quick run has one round. Log entries below ERROR are dropped from here on."""
    options = parser.parse_args(arguments)
    if options.quick and "rounds" in options:
        options.rounds = 1
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return options


async def alternate(rounds: int, candidates: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, list[T]]:
    """What each candidate returned, by its name, in rounds in which they take turns.

    Whatever changes on the machine in the course of the run then changes for all of them.
    """
    found: dict[str, list[T]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            found[name].append(await run())
    return found


def percentile(values: Sequence[float], part: float) -> float:
    """Of at least one value; `part` is from 0 to 1."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def machine() -> str:
    """The date, the machine, and how loaded it is: the mean number of running tasks of the last minute."""
    load = os.getloadavg()[0]
    python = platform.python_version()
    date = datetime.datetime.now(datetime.UTC).date()
    return f"{date}, {os.cpu_count()} cores of {_processor()}, Python {python}, load {load:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


class Report:
    """Prints tables as they grow, and keeps in `missed` a line for each bound that was not kept."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self._columns: tuple[str, ...] = ()
        print(machine(), flush=True)

    def table(self, *columns: str) -> None:
        """Begin a table. If the last column is `required`, `row` fills it."""
        self._columns = columns
        print(f"\n{_line(columns)}\n{_line(['---'] * len(columns))}", flush=True)

    def row(self, *cells: object, required: str = "", measured: float | None = None) -> None:
        """Print a row. If `measured` does not keep what is `required`, say so there and note it.

        `required` is a comparison, a number and a unit, as in `< 1.5 s`, or a number that has to be met.
        Raises `ValueError` if it is something else, or comes without what was measured.
        """
        shown = list(map(str, cells))
        if required and not keeps(required, measured):
            self.miss(f"{shown[0]}: {measured:.4g}, required {required}")
            required += ", missed"
        if self._columns[-1] == "required":
            shown.append(required)
        print(_line(shown), flush=True)

    def figure(self, name: str, value: float, form: str = "{}", required: str = "") -> None:
        """A row of a table that has one figure and what is required of it."""
        self.row(name, form.format(value), required=required, measured=value)

    def note(self, text: str) -> None:
        """A line below a table."""
        print(f"\n{text}", flush=True)

    def miss(self, line: str) -> None:
        """Note that something required was missed; printed by `finish`."""
        self.missed.append(line)

    def finish(self) -> int:
        """Say what was missed, and return the exit status."""
        if self.missed:
            self.note(f"Missed: {len(self.missed)}")
            print("\n".join(f"- {line}" for line in self.missed[:40]), flush=True)
        return int(bool(self.missed))


def keeps(required: str, measured: float | None) -> bool:
    """Whether the figure is within the bound; see `Report.row`."""
    match = _BOUND.match(required)
    if match is None or measured is None:
        raise ValueError(f"no bound for {measured}: {required!r}")
    return _COMPARISONS[match[1]](measured, float(match[2]))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
