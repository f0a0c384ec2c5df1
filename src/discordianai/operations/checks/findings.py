"""What a check has found: one line of the table, with what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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
