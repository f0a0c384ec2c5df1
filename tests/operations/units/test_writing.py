"""Unit files come and go whole, and only our own."""

from pathlib import Path

import pytest

from discordianai.operations.units.files import Needs, UnitFile, unit_files
from discordianai.operations.units.locations import BotService, UnitError
from discordianai.operations.units.writing import remove, write
from tests.operations.units.builders import INSTALLATION, places

NEEDS = Needs(Path("/etc/discordianai/settings.toml"), 20.0, 16.0, {})


def files_of(folder: Path, name: str | None) -> tuple[UnitFile, ...]:
    return unit_files(BotService(places(folder), name), INSTALLATION, NEEDS)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_is_written_is_told_and_a_second_time_nothing_changes(tmp_path: Path) -> None:
    files = files_of(tmp_path, "alpha")
    assert list(write(files).values()) == [True, True]
    assert list(write(files).values()) == [False, False]
    assert names(tmp_path / "units") == [
        "discordianai@.service",
        "discordianai@alpha.service.d",
        "discordianai@alpha.service.d/bot.conf",
    ]
    assert {file.path.stat().st_mode & 0o777 for file in files} == {0o644}


def test_a_file_of_somebody_else_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    foreign = tmp_path / "units" / "discordianai@alpha.service.d" / "bot.conf"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("[Service]\nNice=5\n")
    with pytest.raises(UnitError, match="move it away first"):
        write(files_of(tmp_path, "alpha"))
    assert not (tmp_path / "units" / "discordianai@.service").exists()  # all or none
    with pytest.raises(UnitError, match="move it away first"):
        remove(BotService(places(tmp_path), "alpha"))
    assert foreign.read_text() == "[Service]\nNice=5\n"


def test_the_shared_unit_goes_with_the_last_of_its_bots(tmp_path: Path) -> None:
    for name in (None, "alpha", "beta"):
        write(files_of(tmp_path, name))
    assert len(remove(BotService(places(tmp_path), "alpha"))) == 1
    assert (tmp_path / "units" / "discordianai@.service").exists()
    assert len(remove(BotService(places(tmp_path), "beta"))) == 2
    assert names(tmp_path / "units") == ["discordianai.service"]
    assert len(remove(BotService(places(tmp_path), None))) == 1
    assert names(tmp_path / "units") == []
    assert remove(BotService(places(tmp_path), None)) == []


def test_an_operator_s_own_drop_in_stays(tmp_path: Path) -> None:
    write(files_of(tmp_path, "alpha"))
    own = tmp_path / "units" / "discordianai@alpha.service.d" / "override.conf"
    own.write_text("[Service]\nNice=5\n")
    remove(BotService(places(tmp_path), "alpha"))
    assert own.exists()


def test_a_unit_that_is_still_enabled_is_not_removed(tmp_path: Path) -> None:
    (file,) = files_of(tmp_path, None)
    write([file])
    wants = tmp_path / "units" / "multi-user.target.wants"
    wants.mkdir()
    (wants / "discordianai.service").symlink_to(file.path)
    with pytest.raises(UnitError, match="systemctl disable --now discordianai.service"):
        remove(BotService(places(tmp_path), None))
    assert file.path.exists()


def test_a_folder_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "units").write_text("")
    with pytest.raises(UnitError, match=r"units/discordianai\.service cannot be written"):
        write(files_of(tmp_path, None))


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "a@b", "ä", "a" * 19, "..", "%i"])
def test_a_name_that_is_no_user_s_unit_s_and_folder_s_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnitError, match="at most 18 of a-z"):
        BotService(places(tmp_path), name)
