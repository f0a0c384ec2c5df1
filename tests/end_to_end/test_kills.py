"""Some kills at random moments under load; `make soak-kill` does two hundred."""

from pathlib import Path

import pytest

from benchmarks.soak_kills import Plan, soak
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import BotDatabase
from tests.end_to_end.databases import on_both_databases

pytestmark = [pytest.mark.slow, on_both_databases]


async def test_kills_break_no_promise(
    tmp_path: Path, authority: Authority, database: BotDatabase | None
) -> None:
    """What two kills have met is told so; the bot lives long enough between them to answer most."""
    report = await soak(tmp_path, Plan(rounds=6, rate=10.0, longest=5.0), authority, database)
    assert report.wrong == []
    assert report.integrity == ("ok" if database is None else "")
    assert report.outcomes["answered whole"] > 30, report.outcomes  # or it would have shown nothing
