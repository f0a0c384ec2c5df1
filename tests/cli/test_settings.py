"""`discordianai settings`: the file to begin with, and what the operator's sets differently."""

from pathlib import Path

import pytest

from discordianai.cli.main import main
from discordianai.settings.file import load
from tests.docs.pages import ROOT

KEYS = {"DISCORD_TOKEN": "a-token", "OPENAI_API_KEY": "a-key"}


def test_it_prints_the_commented_file_as_it_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    """Which is part of the package: somebody who installs a wheel has no repository."""
    assert main(["settings"]) == 0
    assert capsys.readouterr().out == (ROOT / "settings.toml").read_text(encoding="utf-8")


def test_the_difference_is_a_settings_file_that_sets_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the meaning and the default of each key, and no secret."""
    (mine := tmp_path / "settings.toml").write_text(
        """
        [discord]
        token = "a-secret-token"
        guild_ids = [1, 2]
        drain_seconds = 20.0
        [providers.house]
        base_url = "http://127.0.0.1:1/v1"
        model = 'a "quoted" model'
        api_key = "a-secret-key"
        [models."a.model"]
        context_tokens = 32000
        [logging.levels]
        "discordianai.transport" = "DEBUG"
        """
    )
    assert main(["settings", "--diff", "--settings", str(mine)]) == 0
    told = capsys.readouterr().out
    assert (
        "guild_ids = [1, 2]  # servers that may use the bot and get its commands; empty: all; default: []"
        in told
    )
    assert "drain_seconds" not in told
    assert "a-secret" not in told
    assert told.count(" is set, and not shown") == 2
    (again := tmp_path / "again.toml").write_text(told)
    assert load(again, {**KEYS, "HOUSE_API_KEY": "a-secret-key", "DISCORD_TOKEN": "a-secret-token"}) == load(
        mine, KEYS | {"DISCORD_TOKEN": "a-secret-token"}
    )


def test_without_a_difference_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").touch()
    assert main(["settings", "--diff", "--settings", str(tmp_path / "settings.toml")]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err.endswith("every key is at its default\n")) == ("", True)
