"""`/usage`: what a person has used."""

from collections.abc import Sequence
from datetime import UTC, datetime

from discordianai.conversations.accounting import NANO, Limit, SpentOn
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import PersonalUsage

NOTHING = "You haven't used anything this month."


async def handle(invocation: Invocation, usage: PersonalUsage) -> CommandReply:
    """The person's own, today and this month."""
    today = datetime.now(UTC).date()
    lines = await usage.spending(today.replace(day=1).isoformat(), invocation.origin.person.id)
    if not lines:
        return CommandReply(NOTHING)
    now = [line for line in lines if line.day == today.isoformat()]
    sums = [_sum("Today", now), _sum("This month", lines)]
    return CommandReply("\n".join([*sums, *_by_model(lines), *_allowed(usage.daily_limit)]))


def _sum(when: str, lines: Sequence[SpentOn]) -> str:
    answers = sum(line.spent.answers for line in lines)
    tokens = sum(line.spent.tokens for line in lines)
    cost = sum(line.spent.cost for line in lines)
    money = f", cost {cost / NANO:.4f}" if cost else ""
    return f"**{when}:** {answers:,} answer{'s' * (answers != 1)}, {tokens:,} tokens{money}"


def _by_model(lines: Sequence[SpentOn]) -> list[str]:
    models = sorted({line.model for line in lines})
    if len(models) < 2:
        return []
    return [f"- {_sum(model, [line for line in lines if line.model == model])}" for model in models]


def _allowed(limit: Limit) -> list[str]:
    parts = []
    if limit.tokens is not None:
        parts.append(f"{limit.tokens:,} tokens")
    if limit.money is not None:
        parts.append(f"a cost of {limit.money:g}")
    return [f"Each person may use up to {' and '.join(parts)} per day (UTC)."] if parts else []


COMMAND = HandledCommand(name="usage", description="Your questions, tokens and cost", handle=handle)
