"""Findings for a person: a coloured table on a terminal, plain lines elsewhere."""

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from discordianai.operations.checks.findings import CheckStatus, Finding

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
    return f"{', '.join(parts)}, {count[CheckStatus.OK]} in order"


def _amount(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _clean(text: str) -> str:
    """Names and paths may hold what a terminal obeys."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
