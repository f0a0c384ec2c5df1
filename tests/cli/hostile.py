"""Runs one command again and again, each time in a folder in which one name is not what it should be.

As a program (`python -m tests.cli.hostile`), since each run is a fork of a process that has imported what the
run before it had to: a line of JSON says what to do, and one for each run what came of it.
"""

import json
import os
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

LONGEST = 20.0
"""Seconds after which a run counts as hanging."""

SERVICE, STRANGER = 61234, 61235
"""Users who own nothing else: the folder is the first one's, where root runs this."""

MARKER = "root:x:0:0:not for anybody else"


@dataclass(frozen=True, slots=True)
class Task:
    """A command's arguments and environment, in which FOLDER is replaced, and the names to try.

    `template` is a folder with the files that should be there.
    """

    arguments: list[str]
    environment: dict[str, str]
    names: list[str]
    template: str
    work: str


@dataclass(frozen=True, slots=True)
class Run:
    """`status` is None where it hung; `victims_changed` names what should have been left alone."""

    name: str
    kind: str
    status: int | None
    output: str
    seconds: float
    victims_changed: list[str]


def _symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def _dangling(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("new"))


def _hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def _fifo(path: Path, _victim: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path, _victim: Path) -> None:
    path.mkdir()


def _socket(path: Path, _victim: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


def _device(path: Path, _victim: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero, which never ends


def _foreign(path: Path, victim: Path) -> None:
    shutil.copy(victim, path)
    os.chown(path, STRANGER, STRANGER)


KINDS: Mapping[str, Callable[[Path, Path], None]] = {
    "symlink": _symlink,
    "dangling": _dangling,
    "hard link": _hard_link,
    "fifo": _fifo,
    "folder": _folder,
    "socket": _socket,
    "device": _device,
    "foreign": _foreign,
}
FOR_ROOT = {"device", "foreign"}
"""Nobody else can make these."""


def runs(task: Task) -> Iterator[Run]:
    """Each name with each kind, and the folder as it should be where there are no names."""
    kinds = [kind for kind in KINDS if os.geteuid() == 0 or kind not in FOR_ROOT]
    cases = [(name, kind) for name in task.names for kind in kinds] or [("", "")]
    for number, (name, kind) in enumerate(cases):
        base = Path(task.work, str(number))
        folder, victims = base / "folder", base / "victims"
        shutil.copytree(task.template, folder)
        victims.mkdir()
        victim = victims / "victim"
        path = folder / name
        if path.suffix == ".sqlite3":
            shutil.copy(path, victim)  # a database like ours is what could be harmed most
        else:
            victim.write_text(MARKER)
        victim.chmod(0o640)
        if name:
            path.unlink(missing_ok=True)
            KINDS[kind](path, victim)
        _give_away(folder)
        before = _look(victims)
        status, output, seconds = _fork(task, folder, base / "output")
        after = _look(victims)
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        yield Run(name, kind, status, output, seconds, changed)
        _import(base / "modules")
        shutil.rmtree(base)


def _give_away(folder: Path) -> None:
    """All that belongs to this user, but for the victim, which is reached through a name in it."""
    if os.geteuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        status = path.lstat()
        if status.st_uid == 0 and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
            os.chown(path, SERVICE, SERVICE, follow_symlinks=False)


def _look(victims: Path) -> dict[str, tuple[str, int, int, int]]:
    found = {}
    for path in victims.iterdir():
        status = path.stat()
        found[path.name] = (path.read_bytes().hex(), status.st_mode, status.st_uid, status.st_gid)
    return found


def _import(listed: Path) -> None:
    """What a run had to import, so that no later one has to: that would be most of its time."""
    if not listed.exists():  # it hung
        return
    for name in listed.read_text().splitlines():
        if name not in sys.modules:
            with suppress(ImportError):  # a name that was given to something else
                import_module(name)


def _fork(task: Task, folder: Path, output: Path) -> tuple[int | None, str, float]:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_command(task, folder, output)
    while time.monotonic() - began < LONGEST:
        done, result = os.waitpid(child, os.WNOHANG)
        if done:
            seconds = time.monotonic() - began
            return os.waitstatus_to_exitcode(result), output.read_text(errors="replace"), seconds
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None, output.read_text(errors="replace"), LONGEST


def _be_the_command(task: Task, folder: Path, output: Path) -> None:
    status = 99
    with suppress(BaseException):  # what leaves it is seen by the status
        os.dup2(os.open(output, os.O_CREAT | os.O_WRONLY, 0o600), 1)
        os.dup2(1, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder.parent)
        for name, value in task.environment.items():
            os.environ[name] = value.replace("FOLDER", str(folder))
        arguments = [argument.replace("FOLDER", str(folder)) for argument in task.arguments]
        try:
            status = main(arguments)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 98
        except BaseException:
            sys.excepthook(*sys.exc_info())
            raise
        finally:
            output.with_name("modules").write_text("\n".join(sys.modules))
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    import trio  # noqa: F401  # imported once, for all runs

    from discordianai.cli.main import main

    for run in runs(Task(**json.loads(sys.stdin.read()))):
        sys.stdout.write(json.dumps(asdict(run)) + "\n")
        sys.stdout.flush()
