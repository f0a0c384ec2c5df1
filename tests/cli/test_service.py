"""`discordianai service`, as an operator types it: for a user, whose folders are the test's own."""

from pathlib import Path

import pytest

from discordianai.cli.main import main

ENABLE = "systemctl --user enable --now discordianai.service"


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's folder, with settings that the defaults of every key fit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "discordianai"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text("")
    return folder


def put_secrets(folder: Path, *names: str, mode: int = 0o600) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("a-secret-value\n")
        (folder / name).chmod(mode)


def test_a_service_is_installed_and_what_is_left_to_do_is_told(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secrets(configuration, "discord-token", "openai-api-key")
    assert main(["service", "install", "--user"]) == 0
    unit = configuration.parent / "systemd" / "user" / "discordianai.service"
    assert f"LoadCredential=discord-token:{configuration}/discord-token\n" in unit.read_text()
    told = capsys.readouterr()
    assert told.out == f"{unit}: written\n"
    assert f"{configuration}/openai-api-key: there" in told.err
    assert f"{configuration}/perplexity-api-key: not there" in told.err
    assert ENABLE in told.err
    assert "missing" not in told.err
    assert "a-secret-value" not in unit.read_text() + told.err


def test_the_key_of_a_further_provider_is_a_secret_like_others(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told where it goes before it is there, and named in the unit once it is."""
    with (configuration / "settings.toml").open("a") as settings:
        settings.write('[providers.local-llm]\nbase_url = "http://x"\nmodel = "m"\n')
    put_secrets(configuration, "discord-token")
    assert main(["service", "install", "--user"]) == 0
    told = capsys.readouterr().err
    assert f"{configuration}/local-llm-api-key: not there" in told
    assert "missing" not in told
    put_secrets(configuration, "local-llm-api-key")
    assert main(["service", "install", "--user"]) == 0
    unit = configuration.parent / "systemd" / "user" / "discordianai.service"
    assert f"LoadCredential=local-llm-api-key:{configuration}/local-llm-api-key\n" in unit.read_text()
    assert "run this command again" in capsys.readouterr().err


def test_a_database_password_is_handed_over_before_the_settings_name_its_database(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page on PostgreSQL puts it there first, so that the bot may be restarted at any time."""
    password = configuration / "database-password"
    assert main(["service", "install", "--user", "--dry-run"]) == 0
    assert "database-password" not in capsys.readouterr().out
    password.write_text("s3cret\n")
    password.chmod(0o600)
    assert main(["service", "install", "--user", "--dry-run"]) == 0
    assert f"LoadCredential=database-password:{password}" in capsys.readouterr().out


def test_a_dry_run_shows_the_unit_alone_and_writes_nothing(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "install", "--user", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "[Service]" in told.out
    assert "Secrets" not in told.out
    assert not (configuration.parent / "systemd").exists()


def test_secrets_that_are_missing_are_told_with_where_to_put_them(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secrets(configuration, "discord-token")
    assert main(["service", "install", "--user"]) == 0
    told = capsys.readouterr().err
    assert "no provider is set up" in told
    assert "discord.token: missing" not in told
    assert f"a file in {configuration}" in told


def test_a_secret_that_others_may_read_is_told(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secrets(configuration, "discord-token", mode=0o640)
    main(["service", "install", "--user"])
    assert f"chmod 600 {configuration}/discord-token" in capsys.readouterr().err


def test_settings_that_cannot_be_used_are_refused_before_anything_is_written(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (configuration / "settings.toml").write_text("[discord]\ndrain_seconds = -1\n")
    assert main(["service", "install", "--user"]) == 78
    assert "discord.drain_seconds" in capsys.readouterr().err
    (configuration / "settings.toml").unlink()
    assert main(["service", "install", "--user"]) == 78
    assert "name one with --settings PATH" in capsys.readouterr().err
    assert not (configuration.parent / "systemd").exists()


def test_a_bot_with_a_name_has_settings_and_secrets_of_its_own(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secrets(configuration, "discord-token")
    put_secrets(configuration / "alpha", "openai-api-key")
    (configuration / "alpha" / "settings.toml").write_text("[discord]\ndrain_seconds = 300\n")
    assert main(["service", "install", "--user", "--name", "alpha"]) == 0
    units = configuration.parent / "systemd" / "user"
    own = (units / "discordianai@alpha.service.d" / "bot.conf").read_text()
    assert f"LoadCredential=openai-api-key:{configuration}/alpha/openai-api-key\n" in own
    assert "discord-token" not in own
    assert "TimeoutStopSec=330\n" in own
    assert "enable --now discordianai@alpha.service" in capsys.readouterr().err
    assert main(["service", "uninstall", "--user", "--name", "alpha"]) == 0
    assert list(units.iterdir()) == []


def test_settings_here_come_first_and_are_named_with_their_whole_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text("")
    main(["service", "install", "--user", "--dry-run"])
    assert f'--settings "{tmp_path}/settings.toml"\n' in capsys.readouterr().out
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.toml").write_text("")
    main(["service", "install", "--user", "--dry-run", "--settings", "other/../other/mine.toml"])
    assert f'--settings "{tmp_path}/other/mine.toml"\n' in capsys.readouterr().out


def test_a_database_elsewhere_is_told_since_the_service_could_not_write_it(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (configuration / "settings.toml").write_text('[conversations]\ndatabase = "/srv/bot.sqlite3"\n')
    main(["service", "install", "--user"])
    assert "/srv/bot.sqlite3 is not in" in capsys.readouterr().err


def test_uninstalling_what_is_not_there_and_a_foreign_file_are_told(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "uninstall", "--user"]) == 0
    assert "is not installed" in capsys.readouterr().out
    units = configuration.parent / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "discordianai.service").write_text("[Service]\n")
    assert main(["service", "uninstall", "--user"]) == 1
    assert main(["service", "install", "--user"]) == 1
    assert "move it away first" in capsys.readouterr().err


def test_a_machine_s_service_says_in_a_dry_run_what_would_keep_it_from_starting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "bot" / "settings.toml"
    settings.parent.mkdir()
    settings.touch(mode=0o600)
    assert main(["service", "install", "--dry-run", "--settings", str(settings)]) == 0
    told = capsys.readouterr()
    assert f"chmod o+r {settings}" in told.err
    assert "DynamicUser=yes" in told.out


def test_settings_in_the_open_home_are_refused_for_the_machine_s_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "settings.toml").touch(mode=0o644)
    assert main(["service", "install", "--settings", str(tmp_path / "settings.toml")]) == 1
    assert "this one is a home folder" in capsys.readouterr().err
