"""Whoever may write in a folder leads no command to another file, whoever runs it."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from discordianai.cli.main import make_parser
from discordianai.conversations.sqlite.files import files
from tests.cli.hostile import MARKER, Run, Task
from tests.conversations.builders import DATABASE

OWN = tuple(path.name for path in files(Path(DATABASE)))
"""The names of the database's files."""

UNIT = "systemd/user/discordianai.service"


@dataclass(frozen=True, slots=True)
class Command:
    """How one is run; `names` are those in the folder that it opens, makes or replaces.

    `replaces` are names that it may put a file of its own at; `status` is that of a run without any trick.
    """

    arguments: str
    names: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    status: int = 0


COMMANDS = {
    "init": Command(
        "--offline --settings FOLDER/settings.toml", ("settings.toml", "discord-token", "openai-api-key")
    ),
    "settings": Command("--diff --settings FOLDER/../../settings.toml"),
    "run": Command("--settings FOLDER/../../settings.toml", OWN),
    "check": Command("--settings FOLDER/../../settings.toml", OWN),
    "invite": Command("--settings FOLDER/../../settings.toml", status=1),
    "sandbox": Command(""),
    "advise": Command("--file FOLDER/figures", ("figures",)),
    "backup": Command(
        f"FOLDER/copy --force --database FOLDER/{DATABASE}",
        (*OWN, "copy", "copy-wal", "copy-journal"),
        replaces=("copy",),
    ),
    "conversations stats": Command(f"--database FOLDER/{DATABASE}", OWN),
    "conversations export": Command(
        f"FOLDER/export --force --database FOLDER/{DATABASE}", (*OWN, "export"), replaces=("export",)
    ),
    "conversations who": Command(f"100000000000000001 --database FOLDER/{DATABASE}", OWN, status=1),
    "conversations purge": Command(f"--all --yes --database FOLDER/{DATABASE}", OWN),
    "conversations move": Command(
        f"--from FOLDER/{DATABASE} --to postgresql://nobody@127.0.0.1:9/nothing", OWN, status=1
    ),
    "service install": Command("--user --settings FOLDER/../../settings.toml", (UNIT,)),
    "service uninstall": Command("--user", (UNIT,)),
    "migrate": Command("FOLDER/config.ini", ("config.ini",)),
}


def commands(parser: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that can be typed."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield " ".join(before)
    for group in groups:
        for name, below in group.choices.items():
            yield from commands(below, (*before, name))


def test_each_command_is_tried_here() -> None:
    """A new one needs a line above."""
    assert set(COMMANDS) == set(commands(make_parser()))


@pytest.fixture
def template(database: Path, tmp_path: Path) -> Path:
    """A state directory in order, and beside it what the commands are told to read."""
    folder = tmp_path / "template"
    (folder / UNIT).parent.mkdir(parents=True)
    shutil.copy(database, folder / DATABASE)
    (folder / DATABASE).chmod(0o600)
    (folder / "config.ini").write_text("[Discord]\nBOT_PRESENCE = online\n")
    (folder / "figures").write_text("{}")
    return folder


def tried(
    name: str, template: Path, tmp_path: Path, names: tuple[str, ...], arguments: str | None = None
) -> list[Run]:
    work = tmp_path / "work"
    work.mkdir()
    (work / "settings.toml").write_text(
        f'[discord]\napi_url = "http://127.0.0.1:9"\n[conversations]\ndatabase = "{DATABASE}"\n'
        "[operations]\nport = 0\n"
    )
    task = Task(
        [*name.split(), *(arguments or COMMANDS[name].arguments).split()],
        {
            "STATE_DIRECTORY": "FOLDER",
            "XDG_CONFIG_HOME": "FOLDER",
            "DISCORD_TOKEN": "token",
            "OPENAI_API_KEY": "key",
            "PERPLEXITY_API_KEY": "key",
        },
        list(names),
        str(template),
        str(work),
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.hostile"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return [Run(**json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.names])
def test_no_name_leads_a_command_astray(name: str, template: Path, tmp_path: Path) -> None:
    """Each is refused in words, within seconds, and what it led to is as it was."""
    for run in tried(name, template, tmp_path, COMMANDS[name].names):
        about = f"{name}, {run.name} is a {run.kind}: {run.status} {run.output}"
        assert not run.victims_changed, about
        assert run.status is not None, about
        assert run.seconds < 10, about
        assert "Traceback" not in run.output, about
        assert MARKER not in run.output, about
        if run.name in COMMANDS[name].replaces and run.kind in {"hard link", "foreign"}:
            assert run.status == 0, about  # the name is given to a new file, the old file stays its owner's
        else:
            assert run.status in {1, 78}, about
            assert Path(run.name).name in run.output, about


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["run", "check", "invite", "conversations stats", "service install", "settings"]
)
def test_settings_are_a_regular_file_and_no_error_shows_what_is_in_another(
    name: str, template: Path, tmp_path: Path
) -> None:
    options = {"service install": "--user --settings", "settings": "--diff --settings"}
    arguments = options.get(name, "--settings")
    (template / "settings.toml").touch()
    for run in tried(name, template, tmp_path, ("settings.toml",), f"{arguments} FOLDER/settings.toml"):
        about = f"{name}, {run.name} is a {run.kind}: {run.status} {run.output}"
        assert not run.victims_changed, about
        assert run.status == 78, about
        assert "Traceback" not in run.output, about
        assert MARKER not in run.output, about


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sandbox", "invite", "settings"])
def test_what_opens_nothing_there_leaves_it_alone(name: str, template: Path, tmp_path: Path) -> None:
    (run,) = tried(name, template, tmp_path, ())
    assert run.status == COMMANDS[name].status, run.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["check", "backup", "conversations stats", "conversations export", "conversations purge"]
)
def test_a_folder_in_order_of_another_user_is_no_obstacle_to_root(
    name: str, template: Path, tmp_path: Path
) -> None:
    """Nobody but root can enter the folder above, as under /var/lib/private."""
    if os.geteuid() != 0:
        pytest.skip("only root has files of another's")
    tmp_path.chmod(0o700)
    (run,) = tried(name, template, tmp_path, ())
    assert run.status == 0, run.output
