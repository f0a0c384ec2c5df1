"""`run` ends with a status that tells systemd whether to start it again, and says why."""

import socket
import stat
import sys
from pathlib import Path

import pytest

from discordianai import app
from discordianai.cli.main import main

SETTINGS = """
[discord]
token = "t"
api_url = "http://127.0.0.1:9/api"
[providers.openai]
api_key = "k"
[conversations]
database = "{database}"
[operations]
port = {port}
"""


def run(folder: Path, *, database: str = "bot.sqlite3", port: int = 0) -> int:
    """Run the command; its exit status."""
    path = folder / "settings.toml"
    where = database if "://" in database else folder / database
    path.write_text(SETTINGS.format(database=where, port=port))
    path.chmod(0o600)
    return main(["run", "--settings", str(path)])


@pytest.mark.parametrize(("secret", "after"), [(True, 0o600), (False, 0o644)])
def test_settings_with_secrets_in_them_are_tightened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    secret: bool,
    after: int,
) -> None:
    """The log says so; a file that has none is not touched."""
    text = SETTINGS.format(database=tmp_path / "none" / "bot.sqlite3", port=0)
    if not secret:
        monkeypatch.setenv("DISCORD_TOKEN", "t")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        text = text.replace('token = "t"', "").replace('api_key = "k"', "")
    path = tmp_path / "settings.toml"
    path.write_text(text)
    path.chmod(0o644)
    monkeypatch.setattr(app, "run", _nothing)
    assert main(["run", "--settings", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == after
    assert ("file was open to other users: mode is 600 now" in capfd.readouterr().err) is secret


def test_settings_behind_a_link_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may lead to anybody's file."""
    target, path = tmp_path / "elsewhere.toml", tmp_path / "settings.toml"
    target.write_text(SETTINGS.format(database=tmp_path / "bot.sqlite3", port=0))
    target.chmod(0o644)
    path.symlink_to(target)
    monkeypatch.setattr(app, "run", _nothing)
    assert main(["run", "--settings", str(path)]) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


async def _nothing(_settings: object, _load: object) -> None:
    """In place of a bot."""


def test_a_missing_psycopg_ends_it_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says what to install."""
    for name in [name for name in sys.modules if name.startswith("discordianai.conversations.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert run(tmp_path, database="postgresql://bot@127.0.0.1/x") == 78
    said = capfd.readouterr().err
    assert "discordianai[postgres]" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_ends_it_for_good(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Starting again is no use until the operator has changed something."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(tmp_path, port=port) == 78
    said = capfd.readouterr().err
    assert str(port) in said
    assert "Traceback" not in said


def test_a_database_that_cannot_be_opened_is_said_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may be back when systemd starts the bot again."""
    (tmp_path / "folder").mkdir()
    assert run(tmp_path, database="folder") == 1
    said = capfd.readouterr().err
    assert "folder" in said
    assert "Traceback" not in said


def test_a_bug_is_logged_with_where_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And systemd starts the bot again."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app, "run", broken)
    assert run(tmp_path) == 1
    said = capfd.readouterr().err
    assert "a part of the bot failed with a bug" in said
    assert "ZeroDivisionError" in said
