"""Advice for the terminal, and for Discord."""

import textwrap
from collections.abc import Sequence

from discordianai.operations.advice.recommendation import Period, Recommendation, SettingChange, percent
from discordianai.operations.metrics import notable
from discordianai.operations.snapshot import ProviderSnapshot

WIDTH = 88
"""Characters of a line on the terminal."""

NOTHING = "Nothing needs to change."


def as_text(findings: Sequence[Recommendation], period: Period) -> str:
    """A page for the terminal; it ends with a line break."""
    parts = [_looked_at(period)]
    if not findings:
        parts.append(NOTHING)
    for number, finding in enumerate(findings, start=1):
        parts.append(f"{number}. {finding.title}{' (urgent)' if finding.urgent else ''}")
        parts[-1] += "".join(f"\n{_indented(text)}" for text in (finding.figures, finding.why))
        parts[-1] += "".join(
            f"\n     {change.key}: {change.now} -> {change.to}" for change in finding.changes
        )
    if any(finding.changes for finding in findings):
        parts.append("The keys are in settings.toml. A reload applies some of them, a restart all.")
    return "\n\n".join(parts) + "\n"


def as_markdown(findings: Sequence[Recommendation], longest: int) -> tuple[str, ...]:
    """Lines for a Discord message, at most `longest` characters together with their line breaks.

    What does not fit is counted, which takes 60.
    """
    if not findings:
        return (NOTHING,)
    lines: list[str] = []
    for number, finding in enumerate(findings):
        more = [f"- **{finding.title}.** {finding.figures}", *map(_markdown, finding.changes)]
        rest = f"-# and {len(findings) - number} more: run `discordianai advise`"
        if sum(len(line) + 1 for line in [*lines, *more, rest]) > longest:
            return (*lines, rest)
        lines += more
    return tuple(lines)


def _markdown(change: SettingChange) -> str:
    return f"  - `{change.key}`: {change.now} → {change.to}"


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   ", break_long_words=False)


def _looked_at(period: Period) -> str:
    since = "since its start" if period.since_start else "between two readings"
    told = [*_providers(period), *notable(period.now, period.before)]
    lines = [f"The bot {since}, {_duration(period.seconds)}:", *(f"  {line}" for line in told)]
    return "\n".join(lines)


def _providers(period: Period) -> list[str]:
    return [
        f"{figures.label}: {_slots(figures)}; {figures.dispatch.rate_limited} of "
        f"{figures.dispatch.requests} requests got a 429; a whole answer took "
        f"{figures.dispatch.last_chunk.p50:.1f} s, 99 % up to {figures.dispatch.last_chunk.p99:.1f} s"
        for figures in period.now.providers.values()
    ]


def _slots(figures: ProviderSnapshot) -> str:
    slots = figures.pool.max_connections if figures.pool else 0
    busiest = figures.dispatch.busiest
    return (
        f"{busiest} of {slots} slots used at once ({percent(busiest, slots)})"
        if slots
        else f"{busiest} slots used"
    )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
