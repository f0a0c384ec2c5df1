"""Installs what is in dist/ as people do, offline, and tries it in a folder with a space in its name.

The wheels of everything that the bot needs are gathered first, from pip's cache or the index; installers then
see nothing else. Exit status 1 with the output of the first command that fails.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LONGEST = 300
"""Seconds for one command."""

ASKED = "/ask why is the sky blue\n"
ANSWERED = "You asked"
SETUPTOOLS = "setuptools==84.2.1"
"""What builds an sdist, as pyproject.toml says."""


class Failed(Exception):
    """A command did not do what it should; the message has its output."""


@dataclass(frozen=True, slots=True)
class Room:
    """An empty home and working folder, whose installers see only the wheelhouse."""

    folder: Path
    wheels: Path
    tools: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of whoever runs this but the tools."""
        home = self.folder / "home"
        return {
            "HOME": str(home),
            "PATH": f"{home / '.local' / 'bin'}:{self.tools}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108  # where pip unpacks
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_OFFLINE": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.wheels),
            "UV_PYTHON": sys.executable,
            "PIPX_DEFAULT_PYTHON": sys.executable,
            "DISCORD_TOKEN": "a-token",
            "OPENAI_API_KEY": "a-key",
        }

    def run(self, *command: str | Path, typed: str = "", status: int = 0) -> str:
        """Its output. Raises `Failed`."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            env=self.environment,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        if done.returncode != status:
            raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout


def gather(wheels: Path) -> None:
    """Every wheel that an installation needs, at the versions that are tested."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    (wheel,) = Path("dist").glob("*.whl")
    constraints = ["--constraint", "constraints.txt", "--only-binary", ":all:"]
    needed = [f"{wheel}[sandbox]", SETUPTOOLS]
    subprocess.run([*pip, *constraints, "--dest", str(wheels), *needed], check=True, timeout=LONGEST)
    (wheels / wheel.name).unlink(missing_ok=True)  # each way is given the file in dist/ itself


@contextmanager
def room(wheels: Path, tools: Path) -> Iterator[Room]:
    """A room of its own for one way to install."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "my bot")
        (folder / "home").mkdir(parents=True)
        yield Room(folder, wheels, tools)


def try_commands(room: Room, program: Path) -> None:
    """What somebody types in the first hour."""
    version = room.run(program, "--version")
    if not version.startswith("discordianai "):
        raise Failed(f"--version says {version!r}")
    if ANSWERED not in (answer := room.run(program, "sandbox", typed=ASKED)):
        raise Failed(f"the sandbox has not answered:\n{answer}")
    room.run(program, "check", status=78)  # there are no settings yet
    room.run(program, "init", "--offline")
    room.run(program, "init", "--offline")
    room.run(program, "check")
    room.run(program, "settings")
    room.run(program, "service", "install", "--dry-run", "--user", "--settings", "settings.toml")


def by_pip(room: Room, file: Path) -> Path:
    """Into a virtual environment."""
    venv = room.folder / "a venv"
    room.run(sys.executable, "-m", "venv", venv)
    room.run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", f"{file}[sandbox]")
    room.run(venv / "bin" / "python", "-m", "pip", "check")
    return venv / "bin" / "discordianai"


def by_pipx(room: Room, file: Path) -> Path:
    """As a program of the user's."""
    room.run("pipx", "install", f"{file}[sandbox]")
    return Path("discordianai")  # in PATH


def by_uv(room: Room, file: Path) -> Path:
    """As a program of the user's, too."""
    room.run("uv", "tool", "install", "--quiet", f"discordianai[sandbox] @ {file.as_uri()}")
    return Path("discordianai")  # in PATH


def main() -> int:
    """Try each way."""
    (wheel,), (sdist,) = (list(Path("dist").absolute().glob(kind)) for kind in ("*.whl", "*.tar.gz"))
    tools = Path(sys.executable).parent.absolute()
    ways = {"pip, wheel": (by_pip, wheel), "pip, sdist": (by_pip, sdist)}
    ways |= {"pipx, wheel": (by_pipx, wheel), "uv tool, wheel": (by_uv, wheel)}
    with tempfile.TemporaryDirectory() as wheels:
        gather(Path(wheels))
        for way, (install, file) in ways.items():
            with room(Path(wheels), tools) as place:
                try:
                    try_commands(place, install(place, file))
                except (Failed, subprocess.TimeoutExpired) as error:
                    print(f"{way}: {error}", file=sys.stderr)
                    return 1
                print(f"{way}: installed offline; every command works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
