"""What a check has found, with what to do about it; and how it is shown to a person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

Figure = str | int | float | bool | None


class CheckStatus(StrEnum):
    """How bad it is: a warning lets the bot run, a problem keeps it from what it is for."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is what was looked at, `found` a sentence, `advice` what to do, empty where nothing is.

    `figures` are for machines. `fatal`: the bot would end at its start, and starting again would not help.
    None of it holds a secret.
    """

    subject: str
    verdict: CheckStatus
    found: str
    advice: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    fatal: bool = False


def ok(subject: str, found: str, **figures: Figure) -> Finding:
    """All is well."""
    return Finding(subject, CheckStatus.OK, found, figures=figures)


def warning(subject: str, found: str, advice: str, **figures: Figure) -> Finding:
    """It works, but may not be meant."""
    return Finding(subject, CheckStatus.WARNING, found, advice, figures)


def problem(subject: str, found: str, advice: str, **figures: Figure) -> Finding:
    """It does not work, or endangers somebody."""
    return Finding(subject, CheckStatus.PROBLEM, found, advice, figures)


def fatal(subject: str, found: str, advice: str = "") -> Finding:
    """The bot would not start."""
    return Finding(subject, CheckStatus.PROBLEM, found, advice, fatal=True)


STYLES = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.PROBLEM: "bold red"}
WORDS = {CheckStatus.OK: "OK", CheckStatus.WARNING: "warning", CheckStatus.PROBLEM: "PROBLEM"}


def show(findings: Sequence[Finding], out: TextIO) -> None:
    """Write the table, and how many there are of each kind."""
    if out.isatty():
        _draw(findings, out)
    else:
        _write(findings, out)


def _write(findings: Sequence[Finding], out: TextIO) -> None:
    width = max((len(finding.subject) for finding in findings), default=0)
    for finding in findings:
        print(f"{WORDS[finding.verdict]:8} {finding.subject:{width}}  {_clean(finding.found)}", file=out)
        if finding.advice:
            print(f"{'':8} {'':{width}}  -> {_clean(finding.advice)}", file=out)
    print(_summary(findings), file=out)


def _draw(findings: Sequence[Finding], out: TextIO) -> None:
    from rich.console import Console  # takes 60 ms, for terminals only
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # a path or a command is to be copied whole
    for finding in findings:
        words = Text(_clean(finding.found))
        if finding.advice:
            words.append(f"\n→ {_clean(finding.advice)}", style="italic")
        word = Text(WORDS[finding.verdict], style=STYLES[finding.verdict])
        table.add_row(word, Text(finding.subject), words)
    console = Console(file=out, highlight=False)
    console.print(table)
    console.print(Text(_summary(findings), style="bold"))


def _summary(findings: Sequence[Finding]) -> str:
    count = Counter(finding.verdict for finding in findings)
    parts = [_amount(count[verdict], verdict.value) for verdict in (CheckStatus.PROBLEM, CheckStatus.WARNING)]
    return f"{', '.join(parts)}, {count[CheckStatus.OK]} OK"


def _amount(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _clean(text: str) -> str:
    """Names and paths may hold what a terminal obeys."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
