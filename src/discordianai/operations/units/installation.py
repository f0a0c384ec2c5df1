"""Finds out what this installation consists of, by running its interpreter as the service would.

A venv, its base Python, an editable source tree: each may be somewhere under /home, which the service does
not see but for what is bound into its view.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from discordianai.operations.units.locations import UnitError

FLAGS = "-sP"
"""Import nothing from a user's site-packages, nor from the working directory."""

ALWAYS_VISIBLE = (Path("/usr"), Path("/etc"))
"""No setting of the unit hides anything in them."""

_QUESTION = """
import json, sys
import discordianai.cli
print(json.dumps({"folders": [sys.prefix, sys.base_prefix, *sys.path], "package": discordianai.cli.__file__}))
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """The interpreter, the file of the package, and the folders that both need to run."""

    python: Path
    package: Path
    folders: tuple[Path, ...]


def find_installation(python: str = sys.executable) -> Installation:
    """Ask `python`, with an empty environment. Raises `UnitError` where it cannot run the bot like that."""
    if not python:
        raise UnitError("this Python does not know its own path, so no unit can start it")
    try:
        answer = subprocess.run(  # noqa: S603  # the interpreter that runs this, and a constant
            [python, FLAGS, "-c", _QUESTION],
            env={},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        told = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        raise UnitError(
            f"{python} {FLAGS} cannot import discordianai in an empty environment, as a service has it:"
            " install it into a virtual environment"
        ) from None
    package = Path(told["package"])
    folders = [Path(folder) for folder in told["folders"]]
    folders += [package.parent.parent, *(link.parent for link in _links(Path(python)))]
    return Installation(Path(python), package, outermost(folders))


def outermost(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Those that are there and may be hidden, less what is in another one of them."""
    chosen: list[Path] = []
    for folder in sorted(set(folders)):
        covered = any(folder.is_relative_to(other) for other in (*ALWAYS_VISIBLE, *chosen))
        if not covered and folder.is_dir():
            chosen.append(folder)
    return tuple(chosen)


def _links(path: Path) -> Iterator[Path]:
    """Every file on the way from a symbolic link to what it means, itself included."""
    yield path
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / path.readlink()))
        yield path


def closed_to_others(file: Path, folders: Iterable[Path]) -> Path | None:
    """What keeps a user who owns nothing from reading `file`: itself, or a folder on the way; else None.

    What is bound into the service's view is entered at one of `folders`: what is above does not count.
    """
    file = file.resolve()
    entries = {folder.resolve() for folder in folders}
    for path in (file, *file.parents):
        needed = stat.S_IXOTH if path.is_dir() else stat.S_IROTH
        if not path.stat().st_mode & needed:
            return path
        if path in entries:
            return None
    return None
