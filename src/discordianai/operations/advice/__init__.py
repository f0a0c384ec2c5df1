"""What the operator should change, by the figures: one pure function, and two printers."""

from discordianai.operations.advice.advising import advise
from discordianai.operations.advice.recommendation import Period, Recommendation, SettingChange, period
from discordianai.operations.advice.report import as_markdown, as_text

__all__ = ["Period", "Recommendation", "SettingChange", "advise", "as_markdown", "as_text", "period"]
