"""Advice on the settings, based on statistics: one pure function, and two output formats."""

from discordianai.operations.advice.bot_rules import BOT_RULES
from discordianai.operations.advice.provider_rules import PROVIDER_RULES
from discordianai.operations.advice.recommendation import (
    Period,
    Recommendation,
    SettingChange,
    Use,
    period,
)
from discordianai.operations.advice.report import as_markdown, as_text
from discordianai.operations.snapshot import Snapshot

__all__ = ["Period", "Recommendation", "SettingChange", "advise", "as_markdown", "as_text", "period"]


def advise(now: Snapshot, before: Snapshot | None = None) -> tuple[Recommendation, ...]:
    """The recommendations, urgent ones first; empty if nothing needs to change.

    Rates are those since `before`, or since the bot's start. Never raises.
    """
    looked_at = period(now, before)
    findings = [finding for rule in BOT_RULES for finding in rule(looked_at)]
    for name in now.providers:
        use = Use.of(looked_at, name)
        findings += [finding for rule in PROVIDER_RULES for finding in rule(use)]
    return tuple(sorted(findings, key=lambda finding: not finding.urgent))
