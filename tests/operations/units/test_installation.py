"""What a service needs to see of an installation: found out, and tried in a view where all else is hidden."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

import discordianai
from discordianai.operations.units.files import Needs, unit_files
from discordianai.operations.units.installation import closed_to_others, find_installation, outermost
from discordianai.operations.units.locations import BotService, UnitError
from tests.operations.units.builders import places, put, read, run_enclosed

SOURCE = Path(discordianai.__file__).parent.parent


def make_installation(folder: Path) -> Path:
    """A venv with this project's packages in it by reference, and its source by a hook, as editable installs
    have them."""
    venv.create(folder, symlinks=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    elsewhere = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "editable.pth").write_text("\n".join([*elsewhere, "import editable_hook"]) + "\n")
    (packages / "editable_hook.py").write_text(
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Hook:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        return PathFinder.find_spec(name, [{str(SOURCE)!r}]) if name == 'discordianai' else None\n"
        "sys.meta_path.append(Hook)\n"
    )
    return folder / "bin" / "python"


def test_a_bot_runs_from_a_home_of_which_it_sees_nothing_else(tmp_path: Path) -> None:
    python = make_installation(tmp_path / "the venv of 100%")
    settings = tmp_path / "my bot" / "settings.toml"
    settings.parent.mkdir()
    settings.write_text("[discord]\nguild_ids = [0]\n")
    files = unit_files(
        BotService(places(tmp_path), None), find_installation(str(python)), Needs(settings, 20.0, 16.0, {})
    )
    unit = read(put(files), "discordianai.service")
    assert unit.complaints == ""
    (tmp_path / "root").mkdir()
    run = run_enclosed(tmp_path / "root", unit.bound, unit.commands[0])
    # It has imported all it needs, and read the settings, of which nothing but the mistakes can be told.
    assert run.stderr.startswith("discord.guild_ids.0: ")
    assert run.returncode == 78
    (tmp_path / "other root").mkdir()
    others = [folder for folder in unit.bound if not str(folder).startswith(str(tmp_path))]
    blind = run_enclosed(tmp_path / "other root", others, unit.commands[0])
    assert blind.returncode != 78  # so the enclosure hides what it is said to hide


def test_this_installation_says_where_its_source_and_its_base_are() -> None:
    installation = find_installation()
    assert installation.python == Path(sys.executable)
    for needed in (Path(sys.prefix), Path(sys.base_prefix), SOURCE):
        assert any(needed.is_relative_to(folder) for folder in (*installation.folders, Path("/usr")))


def test_an_interpreter_reached_over_links_brings_the_folder_of_each_link(tmp_path: Path) -> None:
    python = make_installation(tmp_path / "venv")
    (tmp_path / "shortcuts").mkdir()
    base = python.resolve()
    (tmp_path / "shortcuts" / "python").symlink_to(base)
    while python.is_symlink() and python.readlink().parent == Path():
        python = python.parent / python.readlink()
    python.unlink()
    python.symlink_to(Path("..") / ".." / "shortcuts" / "python")
    assert tmp_path / "shortcuts" in find_installation(str(tmp_path / "venv" / "bin" / "python")).folders


def test_a_program_that_only_this_shell_can_import_is_refused(tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", symlinks=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    seen = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([python, "-c", "import discordianai.cli"], env=seen, check=True)  # noqa: S603  # it is the test's own
    with pytest.raises(UnitError, match="install it into a virtual environment"):
        find_installation(python)
    with pytest.raises(UnitError, match="virtual environment"):
        find_installation(str(tmp_path / "none"))
    with pytest.raises(UnitError, match="does not know its own path"):
        find_installation("")


def test_folders_in_others_and_those_that_are_always_visible_are_left_out(tmp_path: Path) -> None:
    for name in ("a", "a/b", "a b"):
        (tmp_path / name).mkdir()
    given = [
        tmp_path / "a" / "b",
        Path("/usr/lib"),
        Path("/etc"),
        tmp_path / "a b",
        tmp_path / "a",
        tmp_path / "c",
    ]
    assert outermost(given) == (tmp_path / "a", tmp_path / "a b")


def test_what_others_may_not_read_is_told_up_to_where_the_service_enters(tmp_path: Path) -> None:
    bot = tmp_path / "home" / "bot"
    bot.mkdir(parents=True)
    settings = bot / "settings.toml"
    settings.touch(mode=0o644)
    (tmp_path / "home").chmod(0o700)
    assert closed_to_others(settings, [bot]) is None
    assert closed_to_others(settings, []) == tmp_path / "home"
    bot.chmod(0o750)
    assert closed_to_others(settings, [bot]) == bot
    settings.chmod(0o600)
    assert closed_to_others(settings, [bot]) == settings
