"""Ten kills at random moments under load; `make soak-kill` does two hundred."""

from pathlib import Path

from benchmarks.soak_kill import Plan, soak
from discordianai.sandbox.certificates import Authority


async def test_ten_kills_break_no_promise(tmp_path: Path, authority: Authority) -> None:
    report = await soak(tmp_path, Plan(rounds=10, rate=15.0, longest=1.0), authority)
    assert report.wrong == []
    assert report.integrity == "ok"
    assert report.outcomes["answered"] > 30  # or it would have shown nothing
