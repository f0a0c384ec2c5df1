"""The units as systemd reads them: nothing to complain about, little to attack, each bot with its own."""

from pathlib import Path

import pytest

from discordianai.operations.units.files import Needs, unit_files
from discordianai.operations.units.locations import BotService
from tests.operations.units.builders import INSTALLATION, exposure, places, put, read, words

NEEDS = Needs(
    Path("/etc/discordianai/settings.toml"),
    20.0,
    16.0,
    {"discord-token": Path("/etc/discordianai/discord-token")},
)


def install(folder: Path, name: str | None, *, of_user: bool = False, needs: Needs = NEEDS) -> Path:
    return put(unit_files(BotService(places(folder, of_user=of_user), name), INSTALLATION, needs))


@pytest.mark.parametrize("of_user", [False, True])
@pytest.mark.parametrize(
    ("name", "unit"), [(None, "discordianai.service"), ("alpha", "discordianai@alpha.service")]
)
def test_systemd_has_nothing_to_complain_about(
    tmp_path: Path, name: str | None, unit: str, of_user: bool
) -> None:
    folder = install(tmp_path, name, of_user=of_user)
    assert read(folder, unit, user=of_user).complaints == ""


def test_the_template_is_a_unit_of_its_own(tmp_path: Path) -> None:
    folder = install(tmp_path, "alpha")
    unit = read(folder, "discordianai@beta.service")  # one that has no drop-in
    assert unit.complaints == ""
    assert words(unit.commands[0])[-1] == f"{tmp_path}/configuration/beta/settings.toml"
    assert unit.all("StateDirectory") == ["discordianai-beta"]


@pytest.mark.parametrize(
    ("name", "unit"), [(None, "discordianai.service"), ("alpha", "discordianai@alpha.service")]
)
def test_a_machine_is_little_exposed_to_its_bot(tmp_path: Path, name: str | None, unit: str) -> None:
    assert exposure(install(tmp_path, name), unit) <= 1.5


def test_the_bot_is_started_with_its_settings_and_watched(tmp_path: Path) -> None:
    unit = read(install(tmp_path, None), "discordianai.service")
    start, reload = map(words, unit.commands)
    assert start[0] == str(INSTALLATION.python)
    assert start[-4:] == ["discordianai", "run", "--settings", str(NEEDS.settings)]
    assert reload == ["/bin/kill", "-HUP", "$MAINPID"]
    assert unit.all("Type") == ["notify"]
    assert unit.all("NotifyAccess") == ["main"]
    assert unit.all("Restart") == ["on-failure"]
    assert unit.all("DynamicUser") == ["yes"]
    assert unit.all("ProtectHome") == ["tmpfs"]
    assert unit.all("ReadWritePaths") == []
    assert unit.all("WatchdogSec") != ["0"]
    # systemd does not show this one.
    assert "\nRestartPreventExitStatus=78\n" in (tmp_path / "units" / "discordianai.service").read_text()


def test_a_stop_may_take_longer_than_the_drain(tmp_path: Path) -> None:
    for number, drain in enumerate((0.0, 20.5, 600.0)):
        folder = install(tmp_path / str(number), None, needs=Needs(NEEDS.settings, drain, 16.0, {}))
        text = (folder / "discordianai.service").read_text()
        (seconds,) = [line for line in text.splitlines() if line.startswith("TimeoutStopSec=")]
        assert int(seconds.partition("=")[2]) >= drain + 15


@pytest.mark.parametrize("of_user", [False, True])
@pytest.mark.parametrize(
    ("name", "unit"), [(None, "discordianai.service"), ("alpha", "discordianai@alpha.service")]
)
def test_a_bot_whose_memory_has_no_end_is_ended(
    tmp_path: Path, name: str | None, unit: str, of_user: bool
) -> None:
    """The bound leaves room for what the operator lets the cache have, and for a busy bot."""
    for cache in (0.0, 16.0, 2000.5):
        own = tmp_path / f"{cache:g}"
        needs = Needs(NEEDS.settings, 20.0, cache, {})
        folder = install(own, name, needs=needs, of_user=of_user)
        (most,) = read(folder, unit, user=of_user).all("MemoryMax")
        assert (cache + 512) * 2**20 <= int(most) <= (cache + 2048) * 2**20


def test_only_secrets_that_are_there_are_asked_for(tmp_path: Path) -> None:
    key = tmp_path / "configuration" / "openai-api-key"
    folder = install(tmp_path, None, needs=Needs(NEEDS.settings, 20.0, 16.0, {"openai-api-key": key}))
    credentials = [
        line
        for line in (folder / "discordianai.service").read_text().splitlines()
        if line.startswith("LoadCredential")
    ]
    assert credentials == [f"LoadCredential=openai-api-key:{tmp_path}/configuration/openai-api-key"]


def test_bots_with_names_share_nothing_that_is_one_s_own(tmp_path: Path) -> None:
    install(tmp_path, "alpha")
    credentials = {"openai-api-key": tmp_path / "configuration" / "beta" / "openai-api-key"}
    folder = install(tmp_path, "beta", needs=Needs(Path("/srv/b/settings.toml"), 99.0, 16.0, credentials))
    alpha, beta = (read(folder, f"discordianai@{name}.service") for name in ("alpha", "beta"))
    assert words(alpha.commands[0])[-1] == "/etc/discordianai/settings.toml"
    assert words(beta.commands[0])[-1] == "/srv/b/settings.toml"
    assert len(beta.commands) == 2  # the template's own start is replaced, not joined
    assert alpha.all("TimeoutStopSec") != beta.all("TimeoutStopSec")
    assert (alpha.all("User"), beta.all("User")) == (["discordianai-alpha"], ["discordianai-beta"])
    assert (alpha.all("StateDirectory"), beta.all("StateDirectory")) == (
        ["discordianai-alpha"],
        ["discordianai-beta"],
    )
    drop_in = (folder / "discordianai@beta.service.d" / "bot.conf").read_text()
    assert f"LoadCredential=openai-api-key:{tmp_path}/configuration/beta/openai-api-key" in drop_in
    assert "discord-token" not in drop_in


def test_the_folder_of_the_settings_is_seen_wherever_it_is(tmp_path: Path) -> None:
    settings = tmp_path / "my bot 100%" / "settings.toml"
    settings.parent.mkdir()
    for name, unit in ((None, "discordianai.service"), ("alpha", "discordianai@alpha.service")):
        folder = install(tmp_path, name, needs=Needs(settings, 20.0, 16.0, {}))
        assert str(settings.parent) in read(folder, unit).bound


def test_settings_behind_a_symbolic_link_are_seen_too(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "real" / "settings.toml").touch()
    (tmp_path / "linked" / "settings.toml").symlink_to(tmp_path / "real" / "settings.toml")
    folder = install(tmp_path, None, needs=Needs(tmp_path / "linked" / "settings.toml", 20.0, 16.0, {}))
    assert read(folder, "discordianai.service").bound == [f"{tmp_path}/linked", f"{tmp_path}/real"]
