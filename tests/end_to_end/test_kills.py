"""Ten kills at random moments under load; `make soak-kill` does two hundred."""

from pathlib import Path

from benchmarks.soak_kill import soak

from discordianai.sandbox.certificates import Authority


async def test_ten_kills_break_no_promise(tmp_path: Path, authority: Authority) -> None:
    report = await soak(tmp_path, rounds=10, seed=1, authority=authority, rate=15.0)
    assert report.wrong == []
    assert report.integrity == "ok"
    assert report.outcomes["answered"] > 50  # or it would have shown nothing
