"""The settings file: its mistakes, its secrets, and who may read them."""

from pathlib import Path

import pytest

from discordianai.operations.checks.findings import CheckStatus
from discordianai.operations.checks.settings_check import SettingsCheck, look
from tests.operations.checks.builders import about, everything

KEYS = {"DISCORD_TOKEN": "a-token", "OPENAI_API_KEY": "a-key"}
WITH_SECRET = '[providers.openai]\napi_key = "a-secret-in-the-file"'


def looked(
    folder: Path, text: str = "", mode: int = 0o600, environment: dict[str, str] | None = None
) -> SettingsCheck:
    path = folder / "settings.toml"
    path.write_text(text)
    path.chmod(mode)
    return look(path, KEYS if environment is None else environment)


def test_a_valid_file_is_told_with_where_each_secret_is_from_and_none_is_shown(tmp_path: Path) -> None:
    all_well = looked(tmp_path)
    assert {finding.verdict for finding in all_well.findings} == {CheckStatus.OK}
    assert about(all_well.findings, "discord.token").found == "from the environment DISCORD_TOKEN"
    assert about(all_well.findings, "providers.perplexity.api_key").found == "not set: Perplexity is not used"
    assert "a-token" not in everything(all_well.findings)
    assert "a-key" not in everything(all_well.findings)


def test_a_provider_that_wants_no_key_is_told_to_have_none(tmp_path: Path) -> None:
    """It is asked all the same; one that has a key is told of where that is from."""
    text = '[providers.local-llm]\nbase_url = "http://llm.example/v1"\nmodel = "m"'
    findings = looked(tmp_path, text).findings
    found = about(findings, "providers.local-llm.api_key").found
    assert found == "not set: Local Llm is used without a key"
    assert "providers.local-llm.base_url" not in [finding.subject for finding in findings]
    findings = looked(tmp_path, text, environment={**KEYS, "LOCAL_LLM_API_KEY": "k"}).findings
    assert about(findings, "providers.local-llm.api_key").found == "from the environment LOCAL_LLM_API_KEY"
    assert about(findings, "providers.local-llm.base_url").verdict is CheckStatus.WARNING


def test_a_credential_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "discord-token").write_text("a-token-in-a-credential")
    told = looked(tmp_path, environment={**KEYS, "CREDENTIALS_DIRECTORY": str(tmp_path)}).findings
    assert about(told, "discord.token").found == (
        "from the systemd credential discord-token; another one in the environment DISCORD_TOKEN is not used"
    )
    assert about(told, "discord.token").verdict is CheckStatus.WARNING


def test_every_mistake_is_told_and_the_other_things_too(tmp_path: Path) -> None:
    findings = looked(tmp_path, "[dispatch]\nqueue_size = 0\nno_such_key = 1").findings
    mistakes = [finding for finding in findings if finding.subject == "settings"]
    assert [finding.found.partition(":")[0] for finding in mistakes] == [
        "dispatch.queue_size",
        "dispatch.no_such_key",
    ]
    assert all(finding.fatal and finding.verdict is CheckStatus.PROBLEM for finding in mistakes)
    assert about(findings, "settings file").verdict is CheckStatus.OK


def test_a_missing_secret_is_a_mistake_and_leaves_the_settings_for_other_checks(tmp_path: Path) -> None:
    nothing_set = looked(tmp_path, environment={})
    assert nothing_set.settings is not None
    assert [finding.fatal for finding in nothing_set.findings if finding.subject == "settings"] == [
        True,
        True,
    ]


@pytest.mark.parametrize("text", ["not toml", '[discord]\ntoken = 1\n"'])
def test_a_file_that_is_no_toml_is_told_with_its_permissions(tmp_path: Path, text: str) -> None:
    broken = looked(tmp_path, text, 0o666)
    assert broken.settings is None
    assert "line" in about(broken.findings, "settings").found
    assert "everyone can write to it" in about(broken.findings, "settings file").found


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (finding,) = look(tmp_path / "elsewhere.toml", KEYS).findings
    assert finding.fatal
    assert "elsewhere.toml" in finding.found


@pytest.mark.parametrize(
    ("mode", "text", "verdict", "said"),
    [
        (0o600, WITH_SECRET, CheckStatus.OK, "mode 600, with providers.openai.api_key in it"),
        (0o644, "", CheckStatus.OK, "mode 644, with no secret in it"),
        (0o640, WITH_SECRET, CheckStatus.WARNING, "its group can read it"),
        (0o644, WITH_SECRET, CheckStatus.PROBLEM, "everyone can read it"),
        (0o602, "", CheckStatus.PROBLEM, "everyone can write to it"),
    ],
)
def test_who_may_read_and_write_the_file_is_judged_by_what_is_in_it(
    tmp_path: Path, mode: int, text: str, verdict: CheckStatus, said: str
) -> None:
    environment = {**KEYS, "OPENAI_API_KEY": "", "PERPLEXITY_API_KEY": "a-key"}
    findings = looked(tmp_path, text, mode, environment).findings
    finding = about(findings, "settings file")
    assert finding.verdict is verdict
    assert finding.found.startswith(said)
    assert "a-secret-in-the-file" not in everything(findings)
    if verdict is not CheckStatus.OK:
        assert finding.advice == f"chmod 600 {tmp_path / 'settings.toml'}"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://models.example/v1", True),
        ("http://192.168.1.2:8000", True),
        ("http://127.0.0.1:8000", False),
        ("http://[::1]:8000", False),
        ("http://localhost:8000", False),
        ("https://models.example/v1", False),
    ],
)
def test_a_key_that_would_travel_in_the_clear_is_told(tmp_path: Path, address: str, told: bool) -> None:
    findings = looked(tmp_path, f'[providers.openai]\nbase_url = "{address}"').findings
    assert ("providers.openai.base_url" in [finding.subject for finding in findings]) is told
