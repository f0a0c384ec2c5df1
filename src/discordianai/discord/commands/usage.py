"""What was used, how the bot is, and what it can do."""

from collections.abc import Sequence
from datetime import UTC, datetime

from discordianai.conversations.accounting import NANO, SpentOn
from discordianai.discord.commands.services import CommandReply, Services
from discordianai.discord.outcomes import RunCommand

HELP = """\
**I answer questions.** `/ask` asks me anything, and I search the web where that is needed; `/search` searches at once.
In the menu of a message (Apps) I summarize, explain or translate it, or you ask about it.
I remember what you say in a channel: `/history` shows it, `/reset` begins anew, `/export` gives you all of it, \
`/forget` deletes it. Private answers and direct messages stay between us.
`/persona` and `/model` change how I am in a channel. `/usage` tells what you used."""  # noqa: E501  # its own lines


async def usage(request: RunCommand, services: Services) -> CommandReply:
    """The person's own, today and this month."""
    today = datetime.now(UTC).date()
    person_id = request.origin.person.id
    lines = await services.store.spending(today.replace(day=1).isoformat(), person_id=person_id)
    if not lines:
        return CommandReply("You have used nothing this month.")
    now = [line for line in lines if line.day == today.isoformat()]
    sums = [_sum("Today", now), _sum("This month", lines)]
    return CommandReply("\n".join([*sums, *_by_model(lines), *_left(services)]))


def _sum(when: str, lines: Sequence[SpentOn]) -> str:
    answers = sum(line.spent.answers for line in lines)
    tokens = sum(line.spent.tokens for line in lines)
    cost = sum(line.spent.cost for line in lines)
    money = f", {cost / NANO:.4f} in money" if cost else ""
    return f"**{when}:** {answers:,} answer{'s' * (answers != 1)}, {tokens:,} tokens{money}"


def _by_model(lines: Sequence[SpentOn]) -> list[str]:
    models = sorted({line.model for line in lines})
    if len(models) < 2:
        return []
    return [_sum(f"- {model}", [line for line in lines if line.model == model]) for model in models]


def _left(services: Services) -> list[str]:
    limit = services.settings.daily_limits.user
    parts = []
    if limit.tokens is not None:
        parts.append(f"{limit.tokens:,} tokens")
    if limit.money is not None:
        parts.append(f"{limit.money:g} in money")
    return [f"Each person may use {' and '.join(parts)} a day (UTC)."] if parts else []


async def status(request: RunCommand, services: Services) -> CommandReply:  # noqa: ARG001  # an errand's signature
    """How the bot is; the gate has let nobody in but admins."""
    return CommandReply(services.describe())


async def help_(request: RunCommand, services: Services) -> CommandReply:  # noqa: ARG001  # an errand's signature
    """What it can do, in under 600 characters."""
    return CommandReply(HELP)
