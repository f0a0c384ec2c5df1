"""Whatever a path has in it, systemd reads the same path. systemd itself is asked."""

import random
from pathlib import Path

import pytest

from discordianai.operations.units.locations import UnitError, bare, program, quoted
from tests.operations.units.builders import analyze, read, words

ALPHABET = [*"ab %%\"'\\$:;#@!-~,={}[]()*?&|<>`^", "é", "日", "%i", "$HOME", "\\x20", "  "]


def nasty_paths(count: int) -> list[str]:
    chance = random.Random(7)
    return ["/" + "".join(chance.choices(ALPHABET, k=chance.randint(1, 20))) for _ in range(count)]


def write_unit(folder: Path, *lines: str) -> None:
    (folder / "x.service").write_text("\n".join(("[Service]", *lines)) + "\n", encoding="utf-8")


def test_folders_are_read_as_they_were_meant(tmp_path: Path) -> None:
    paths = nasty_paths(300)
    folders = [f"BindReadOnlyPaths={quoted(path)}" for path in paths]
    write_unit(tmp_path, "ExecStart=/bin/true", *folders)
    unit = read(tmp_path, "x.service")
    assert unit.complaints == ""
    assert unit.bound == paths


def test_arguments_arrive_as_they_were_meant_where_no_variable_is_replaced(tmp_path: Path) -> None:
    paths = nasty_paths(100)
    write_unit(tmp_path, f"ExecStart={program('/bin/true')} " + " ".join(map(quoted, paths)))
    unit = read(tmp_path, "x.service")
    assert unit.complaints == ""
    assert words(unit.commands[0]) == ["/bin/true", *paths]
    assert program("/bin/true").startswith('":')  # variables are replaced later, which systemd does not show


def test_a_program_in_any_folder_is_found(tmp_path: Path) -> None:
    for number, name in enumerate(nasty_paths(20)):
        folder = tmp_path / str(number) / name.strip("/").translate(dict.fromkeys(map(ord, "\"'\\")))
        folder.mkdir(parents=True)
        python = folder / "python"
        python.symlink_to("/usr/bin/env")
        write_unit(tmp_path, f"ExecStart={program(python)}")
        assert analyze("verify", tmp_path / "x.service", user=False).stderr == "", name


@pytest.mark.parametrize("path", ["/a'b/python", '/a"b/python', "/a\\b/python"])
def test_a_program_that_systemd_would_not_start_is_refused(path: str) -> None:
    with pytest.raises(UnitError, match="starts no program"):
        program(path)


def test_the_file_of_a_credential_is_the_rest_of_its_line(tmp_path: Path) -> None:
    paths = [path for path in nasty_paths(300) if path == path.strip() and not path.endswith("\\")]
    write_unit(tmp_path, "ExecStart=/bin/true", *(f"LoadCredential=token:{bare(path)}" for path in paths))
    assert read(tmp_path, "x.service").complaints == ""


@pytest.mark.parametrize("path", ["/a\nExecStartPre=/bin/evil", "/a\tb", "/a\udcffb", "/a\0b"])
def test_what_no_unit_can_say_is_refused(path: str) -> None:
    for write in (quoted, bare):
        with pytest.raises(UnitError, match="rename it"):
            write(path)


@pytest.mark.parametrize("path", ["/a ", "/a\\", " /a"])
def test_an_end_that_systemd_would_eat_is_refused_for_a_credential(path: str) -> None:
    with pytest.raises(UnitError, match="rename it"):
        bare(path)
