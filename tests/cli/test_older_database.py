"""The operator's commands on a database that a former version left, with no bot or beside that version."""

import re
import sqlite3
from pathlib import Path

import pytest

from discordianai.cli.main import main
from discordianai.conversations.sqlite.files import DatabaseLock
from discordianai.conversations.sqlite.migrations import STEPS
from tests.conversations.builders import DATABASE, older_database

Captured = pytest.CaptureFixture[str]

NEWEST = len(STEPS)


@pytest.fixture(params=range(1, NEWEST))
def schema(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def database(tmp_path: Path, schema: int) -> Path:
    path = tmp_path / DATABASE
    older_database(path, schema)
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def value(path: Path, query: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def test_a_backup_before_an_upgrade_is_of_the_schema_that_was_there(
    database: Path, schema: int, tmp_path: Path
) -> None:
    assert run("backup", tmp_path / "copy", "--database", database) == 0
    for path in (database, tmp_path / "copy"):
        assert value(path, "PRAGMA user_version") == schema
        assert value(path, "SELECT count(*) FROM turns") == 2
    for secret in (b"token-1", b"nobody else may read this"):
        assert secret in database.read_bytes()
        assert secret not in (tmp_path / "copy").read_bytes()


def test_it_can_be_looked_at_and_exported_and_stays_as_it_is(
    database: Path, schema: int, capsys: Captured
) -> None:
    assert run("conversations", "stats", "--database", database) == 0
    assert "turns           2\n" in capsys.readouterr().out
    assert run("conversations", "export", "--database", database) == 0
    assert "question 1" in capsys.readouterr().out
    assert value(database, "PRAGMA user_version") == schema


def test_a_purge_brings_it_up_to_date_first(database: Path) -> None:
    assert run("conversations", "purge", "--server", 7, "--yes", "--database", database) == 0
    assert value(database, "PRAGMA user_version") == NEWEST
    assert value(database, "SELECT count(*) FROM turns") == 0
    assert b"nobody else may read this" not in database.read_bytes()


def test_a_purge_that_upgrades_for_long_shows_that_it_goes_on(
    database: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discordianai.conversations.sqlite.migrations.INSTRUCTIONS", 10)
    monkeypatch.setattr("discordianai.operations.progress.PATIENCE", 0.0)  # as if it took over a second
    assert run("conversations", "purge", "--all", "--yes", "--database", database) == 0
    shown = capsys.readouterr().err
    assert "bringing the database up to date: ...\n" in shown
    assert re.search(r"bringing the database up to date: done in \d+ s\n", shown)


def test_a_purge_leaves_it_alone_while_its_bot_runs(database: Path, schema: int, capsys: Captured) -> None:
    lock = DatabaseLock(database)
    try:
        assert run("conversations", "purge", "--all", "--yes", "--database", database) == 1
    finally:
        lock.release()
    assert "restart it first" in capsys.readouterr().err
    assert value(database, "PRAGMA user_version") == schema
    assert value(database, "SELECT count(*) FROM turns") == 2
