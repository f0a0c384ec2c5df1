"""Secrets in files of their own beside the settings, as `init` and a service's folder have them."""

import os
import tempfile
from pathlib import Path

import pytest

from discordianai.operations.checks import settings_check
from discordianai.settings.document import SettingsError
from discordianai.settings.file import examine, load
from discordianai.settings.secret_sources import DISCORD_TOKEN, SecretSource, key_of


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text("")
    put(tmp_path / "discord-token", "token-from-file\n")
    put(tmp_path / "openai-api-key", "\N{ZERO WIDTH NO-BREAK SPACE}key-from-file\r\n")
    return tmp_path / "settings.toml"


def put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def test_they_are_read_whatever_ends_their_lines(settings: Path) -> None:
    """Editors add a line break, and some of them a byte order mark."""
    loaded = load(settings, {})
    assert loaded.discord.token_text == "token-from-file"
    assert loaded.providers.openai.api_key is not None
    assert loaded.providers.openai.api_key.get_secret_value() == "key-from-file"
    assert examine(settings, {}).origins == {
        DISCORD_TOKEN: (SecretSource.SECRET_FILE,),
        key_of("openai"): (SecretSource.SECRET_FILE,),
    }


def test_the_environment_comes_before_them_and_they_before_the_settings(settings: Path) -> None:
    """The order of every other place stays what it is."""
    settings.write_text('[discord]\ntoken = "in-settings"\n[providers.openai]\napi_key = "in-settings"\n')
    loaded = load(settings, {"DISCORD_TOKEN": "from-environment"})
    assert loaded.discord.token_text == "from-environment"
    assert loaded.providers.openai.api_key is not None
    assert loaded.providers.openai.api_key.get_secret_value() == "key-from-file"


def test_a_service_goes_by_its_credentials_alone(settings: Path, tmp_path: Path) -> None:
    """Its user may not read the files, and needs not: what it was given is the whole."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    put(credentials / "discord-token", "token-of-the-service")
    reading = examine(settings, {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert list(reading.origins) == [DISCORD_TOKEN]


def test_a_link_in_place_of_one_is_refused_in_words(settings: Path) -> None:
    """Whoever may write to the folder could let the bot send any file to Discord."""
    (settings.parent / "discord-token").unlink()
    (settings.parent / "discord-token").symlink_to("/etc/passwd")
    with pytest.raises(SettingsError, match="discord-token: cannot be read: a symbolic link"):
        load(settings, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_one_that_another_user_owns_says_who_may_read_it() -> None:
    """Root's files under /etc, looked at by somebody else."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o755)
        (settings := Path(folder, "settings.toml")).write_text("")
        put(settings.with_name("discord-token"), "token")
        os.seteuid(61234)
        try:
            with pytest.raises(SettingsError) as caught:
                load(settings, {})
        finally:
            os.seteuid(0)
    assert any("run this as its owner" in problem for problem in caught.value.problems)


def test_check_names_one_that_others_can_read(settings: Path) -> None:
    """With the command that closes it."""
    (settings.parent / "discord-token").chmod(0o640)
    found = settings_check.look(settings, {}).findings
    (told,) = [finding for finding in found if finding.subject == "secret file"]
    assert "is open to others (mode 640)" in told.found
    assert told.advice == f"chmod 600 {settings.parent / 'discord-token'}"
