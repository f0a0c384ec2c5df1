"""The database file as it is found: by a bot that could not have it, or by others who should not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from discordianai.conversations.sqlite.files import DatabaseLock
from discordianai.conversations.sqlite.store import open_store
from discordianai.operations.checks import database_check
from discordianai.operations.checks.findings import CheckStatus, Finding
from tests.conversations.builders import SLOW
from tests.operations.checks.builders import about, everything, subjects


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """As a bot leaves it."""
    path = tmp_path / "bot.sqlite3"

    async def make() -> None:
        async with open_store(path, pace=SLOW):
            pass

    trio.run(make)
    return path


def look(path: Path) -> list[Finding]:
    return list(database_check.look(path))


def test_a_sound_database_is_in_order_and_looking_at_it_leaves_nothing_behind(made: Path) -> None:
    before = sorted(made.parent.iterdir())
    findings = look(made)
    assert subjects(findings, CheckStatus.WARNING, CheckStatus.PROBLEM) == set()
    assert "is readable and has schema" in about(findings, "database").found
    assert sorted(made.parent.iterdir()) == before


def test_a_database_that_is_not_there_yet_is_in_order(tmp_path: Path) -> None:
    findings = look(tmp_path / "new.sqlite3")
    assert about(findings, "database").verdict is CheckStatus.OK
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (finding,) = look(tmp_path / "no-such-folder" / "bot.sqlite3")
    assert finding.verdict is CheckStatus.PROBLEM
    assert f"mkdir -p {tmp_path}/no-such-folder" in finding.advice


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_file_that_is_open_to_others_is_a_problem(made: Path, suffix: str) -> None:
    file = made.with_name(made.name + suffix)
    file.touch()
    file.chmod(0o640)
    problems = [finding for finding in look(made) if finding.verdict is CheckStatus.PROBLEM]
    assert [finding.advice for finding in problems] == [f"chmod 600 {file}"]


def test_a_running_bot_is_told_and_its_database_read_beside_it(made: Path) -> None:
    assert about(look(made), "bot").figures == {"running": False}
    lock = DatabaseLock(made)
    with closing(sqlite3.connect(made)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        findings = look(made)
    lock.release()
    assert about(findings, "bot").figures == {"running": True}
    assert about(findings, "database").verdict is CheckStatus.OK


def test_an_older_schema_is_in_order_and_a_newer_one_is_not(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        newest = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {newest - 1}")
    assert f"the next start brings it to {newest}" in about(look(made), "database").found
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    assert "newer version of this program" in about(look(made), "database").found
    assert about(look(made), "database").verdict is CheckStatus.PROBLEM


def test_another_program_s_database_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    path.chmod(0o600)
    finding = about(look(path), "database")
    assert finding.verdict is CheckStatus.PROBLEM
    assert "another program's database" in finding.found


def test_a_damaged_file_is_a_problem_and_nothing_of_it_is_repeated(made: Path) -> None:
    made.write_bytes(b"SQLite format 3\x00" + b"a person's words" * 500)
    findings = look(made)
    assert about(findings, "database").verdict is CheckStatus.PROBLEM
    assert "person" not in everything(findings)


@pytest.mark.parametrize(
    ("free", "verdict"), [(10, CheckStatus.PROBLEM), (300, CheckStatus.WARNING), (5_000, CheckStatus.OK)]
)
def test_a_disk_that_is_nearly_full_is_told(
    made: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: CheckStatus
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=free, f_frsize=2**20))
    assert about(look(made), "free disk").verdict is verdict


def test_a_file_and_a_folder_of_somebody_else_are_told(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    monkeypatch.setattr(os, "access", lambda _path, mode, **_: mode == os.F_OK)
    findings = look(made)
    told = [finding.found for finding in findings if finding.verdict is not CheckStatus.OK]
    assert any("user 54321 may not write in" in found for found in told)
    assert any("and this is user 54321" in found for found in told)
    assert about(findings, "bot").verdict is CheckStatus.WARNING  # whose lock cannot be looked at
