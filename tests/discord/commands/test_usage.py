"""`/usage` tells people what they have used, and what they may."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from discordianai.conversations.accounting import NANO, Limit, Spent, SpentOn
from discordianai.discord.commands import usage
from discordianai.option import Live
from tests.discord.commands.builders import invocation, open_services

TODAY = date(2026, 11, 26)


class Spending:
    """The usage of somebody who has asked two models on two days."""

    daily_limit = Limit(100_000, 2.5)
    today = TODAY.isoformat()

    def label(self, provider: str) -> str:
        return {"openai": "OpenAI"}[provider]

    async def spending(self, since: str, person_id: int) -> Sequence[SpentOn]:
        earlier = (TODAY - timedelta(days=1)).isoformat()
        return [
            SpentOn(TODAY.isoformat(), "openai", "luna", Spent(1, 10, 20, NANO // 4)),
            SpentOn(earlier, "openai", "terra", Spent(2, 1000, 2000, 12_020_000_000, 1, 500, 4)),
        ]


async def test_today_and_this_month_and_each_model_are_told_and_the_limit() -> None:
    told = await usage.handle(invocation(), Spending())
    assert told.text.splitlines() == [
        "**Today:** 1 answer, 30 tokens, cost $0.2500",
        "**This month:** 3 answers, 3,030 tokens, 4 web searches, cost $12.27, 1 without a known price",
        "- OpenAI terra: 2 answers, 3,000 tokens, 4 web searches, cost $12.02, 1 without a known price",
        "- OpenAI luna: 1 answer, 30 tokens, cost $0.2500; today $0.2500",
        "Each person may use up to 100,000 tokens and $2.50 per day (UTC).",
    ]


async def test_who_has_used_nothing_reads_that(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, _):
        assert (await usage.COMMAND.handle(invocation(), services)).text == usage.NOTHING


async def test_a_new_limit_is_told_as_soon_as_it_holds(tmp_path: Path) -> None:
    """Settings are read again while the bot runs."""
    limit = Live(Limit())
    async with open_services(tmp_path, daily_limit=limit) as (services, _):
        limit.reconfigure(Limit(tokens=7))
        assert services.daily_limit == Limit(tokens=7)
