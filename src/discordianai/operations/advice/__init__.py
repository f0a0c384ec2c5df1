"""Advice on the settings, based on statistics: one pure function, and two output formats."""

from discordianai.operations.advice.advising import advise
from discordianai.operations.advice.recommendation import Period, Recommendation, SettingChange, period
from discordianai.operations.advice.report import as_markdown, as_text

__all__ = ["Period", "Recommendation", "SettingChange", "advise", "as_markdown", "as_text", "period"]
