"""`/usage`: what a person has used."""

from collections.abc import Sequence

from discordianai.conversations.accounting import Limit, Spent, SpentOn, dollars, month_of
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import PersonalUsage

NOTHING = "You haven't used anything this month."

MOST_MODELS = 10
"""Models that are listed, the most expensive first: everything must fit into one message."""

LONGEST_NAME = 40
"""Characters of a model's name."""


async def handle(invocation: Invocation, usage: PersonalUsage) -> CommandReply:
    """The person's own, today and this month, and of which models."""
    today = usage.today
    lines = await usage.spending(f"{month_of(today)}-01", invocation.origin.person.id)
    if not lines:
        return CommandReply(NOTHING)
    now = [line for line in lines if line.day == today]
    sums = [f"**Today:** {_words(_sum(now))}", f"**This month:** {_words(_sum(lines))}"]
    return CommandReply("\n".join([*sums, *_by_model(lines, today, usage), *_allowed(usage.daily_limit)]))


def _sum(lines: Sequence[SpentOn]) -> Spent:
    total = Spent()
    for line in lines:
        total = total.with_sum(line.spent)
    return total


def _words(spent: Spent) -> str:
    parts = [f"{spent.answers:,} answer{'s' * (spent.answers != 1)}", f"{spent.tokens:,} tokens"]
    if spent.searches:
        parts.append(f"{spent.searches:,} web search{'es' * (spent.searches != 1)}")
    if spent.cost:
        parts.append(f"cost {dollars(spent.cost)}")
    if spent.unpriced:
        parts.append(f"{spent.unpriced:,} without a known price")
    return ", ".join(parts)


def _by_model(lines: Sequence[SpentOn], today: str, usage: PersonalUsage) -> list[str]:
    """A line for each model if there are several, the most expensive of the month first."""
    month: dict[tuple[str, str], list[SpentOn]] = {}
    for line in lines:
        month.setdefault((line.provider, line.model), []).append(line)
    if len(month) < 2:
        return []
    sums = {model: _sum(same) for model, same in month.items()}
    dearest = sorted(sums, key=lambda model: (-sums[model].cost, -sums[model].tokens, model))
    listed = []
    for model in dearest[:MOST_MODELS]:
        now = _sum([line for line in month[model] if line.day == today])
        also_today = f"; today {dollars(now.cost)}" if now.cost else ""
        name = f"{usage.label(model[0])} {model[1][:LONGEST_NAME]}"
        listed.append(f"- {name}: {_words(sums[model])}{also_today}")
    left = len(sums) - MOST_MODELS
    return [*listed, *([f"- and {left} more models"] if left > 0 else [])]


def _allowed(limit: Limit) -> list[str]:
    parts = []
    if limit.tokens is not None:
        parts.append(f"{limit.tokens:,} tokens")
    if limit.nano is not None:
        parts.append(dollars(limit.nano))
    return [f"Each person may use up to {' and '.join(parts)} per day (UTC)."] if parts else []


COMMAND = HandledCommand(name="usage", description="Your questions, tokens and cost", handle=handle)
