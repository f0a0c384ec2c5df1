"""Proxies that cannot be used: every command that speaks to somebody ends with 78, and says why."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from discordianai.cli.main import main

WRONG = {
    "HTTPS_PROXY": "socks5://me:secret@proxy.example:1080",
    "HTTP_PROXY": "http://me:secret@proxy.example:none",
    "NO_PROXY": "fe80::/10, 10.0.0.0/99",
}
"""The first is of a kind that is not spoken, the second and the last mean nothing."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings that can be used, and an environment with proxies that cannot."""
    monkeypatch.chdir(tmp_path)
    for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "PERPLEXITY_API_KEY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in WRONG:
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, WRONG[name])
    monkeypatch.setenv("DISCORD_TOKEN", "a-token")
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    (tmp_path / "settings.toml").write_text("")
    return tmp_path


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "discordianai", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # ours


def test_the_bot_does_not_start_and_names_each_variable() -> None:
    """One line for each mistake, none with the password."""
    done = run("run")
    assert done.returncode == 78
    names_each(done.stdout, done.stderr)


@pytest.mark.parametrize("command", ["sandbox", "invite"])
def test_other_commands_name_them_too(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 78
    names_each(*capsys.readouterr())


def names_each(out: str, err: str) -> None:
    assert [line.partition(":")[0] for line in err.splitlines()] == ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
    assert "secret" not in out + err


def test_they_are_told_beside_the_mistakes_of_the_file(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run shows everything."""
    (place / "settings.toml").write_text("[openai]\nmodle = 'x'\n")
    assert main(["run"]) == 78
    told = capsys.readouterr().err
    assert "[openai] is now [providers.openai]" in told
    assert "HTTPS_PROXY" in told


def test_check_finds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of `run`, and nobody is asked."""
    assert main(["run"]) == 78
    told = set(capsys.readouterr().err.splitlines())
    assert main(["check", "--online", "--json"]) == 78
    checked = capsys.readouterr()
    found = [f for f in json.loads(checked.out)["findings"] if f["subject"] == "proxies"]
    assert {finding["found"] for finding in found} == told
    assert all(finding["fatal"] for finding in found)
    assert "not checked" in checked.err


def test_a_proxy_and_exemptions_that_mean_something_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """An IPv6 network stops nobody."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "fe80::/10, 10.0.0.0/8, .internal.example")
    assert main(["check"]) == 0
