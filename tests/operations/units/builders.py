"""Units as systemd itself reads them, and a view of the machine as a service has it."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from discordianai.operations.units.files import UnitFile
from discordianai.operations.units.installation import Installation
from discordianai.operations.units.locations import UnitLocations
from discordianai.operations.units.writing import write

NOBODY = 61184
"""The first of the user ids that systemd gives to services with `DynamicUser=`."""

INSTALLATION = Installation(
    Path("/usr/bin/python3"), Path("/opt/bot/discordianai/cli.py"), (Path("/opt/bot"),)
)
"""A program that is there, so that systemd has nothing to say about it."""


@dataclass(frozen=True)
class Read:
    """What systemd made of a unit."""

    complaints: str
    lines: tuple[str, ...]

    def all(self, key: str) -> list[str]:
        """Every value that a key has, in systemd's own words."""
        found = (re.fullmatch(rf"\s*{key}: (.*)", line) for line in self.lines)
        return [match[1] for match in found if match]

    @property
    def commands(self) -> list[str]:
        """The command lines, quoted anew by systemd."""
        return self.all("Command Line")

    @property
    def bound(self) -> list[str]:
        """The folders that are bound into the view, each onto itself."""
        shown = [value.removesuffix(":rbind") for value in self.all("BindReadOnlyPaths")]
        folders = [value[: len(value) // 2] for value in shown]
        assert shown == [f"{folder}:{folder}" for folder in folders]
        return folders


def analyze(*arguments: str | Path, user: bool, **more: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no running manager for what is asked here."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    command = [tool, *(["--user"] if user else []), *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "XDG_RUNTIME_DIR": "/tmp", **more}  # noqa: S108  # never written
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)  # noqa: S603  # the words are the test's own


def read(folder: Path, unit: str, *, user: bool = False) -> Read:
    """Let systemd read `unit` and the drop-ins beside it."""
    quiet = analyze("verify", folder / unit, user=user)
    loud = analyze("verify", folder / unit, user=user, SYSTEMD_LOG_LEVEL="debug")
    complaints = quiet.stdout + quiet.stderr + (f"status {quiet.returncode}" if quiet.returncode else "")
    return Read(complaints, tuple(loud.stdout.splitlines()))


def exposure(folder: Path, unit: str) -> float:
    """How much of the machine an attacker would have, as `systemd-analyze security` rates it: 0 to 10."""
    rated = analyze("security", "--offline=true", "--no-pager", folder / unit, user=False).stdout
    match = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated)
    assert match, rated
    return float(match[1])


def places(folder: Path, *, of_user: bool = False) -> UnitLocations:
    """A manager's folders in `folder`."""
    return UnitLocations(folder / "units", folder / "configuration", of_user)


def put(files: Sequence[UnitFile]) -> Path:
    """Write the files; the folder that they are in."""
    write(files)
    return files[0].path.parent


def words(command: str) -> list[str]:
    """The words of a command line that systemd has shown: it quotes them for a shell."""
    shell = ["sh", "-c", f"printf '%s\\0' {command}"]
    shown = subprocess.run(shell, capture_output=True, text=True, check=True)  # noqa: S603  # see above
    return shown.stdout.split("\0")[:-1]


@cache
def can_enclose() -> bool:
    """Whether this process may make a view of its own."""
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("chroot") is None:
        return False
    return subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode == 0  # noqa: S603  # see above


_ENCLOSURE = """
set -e
root=$1; shift
mount --rbind / "$root"
for hidden in /home /root /run/user /tmp; do
    if [ -d "$hidden" ]; then mount -t tmpfs tmpfs "$root$hidden"; fi
done
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
exec chroot --userspec=61184:61184 "$root" /usr/bin/env -i "$@"
"""


def run_enclosed(root: Path, bound: Sequence[str], command: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of a unit as `ProtectHome=tmpfs`, `PrivateTmp=` and `DynamicUser=` would have it.

    The homes are empty but for what is bound, the user owns nothing, the environment is empty. `root` is an
    empty folder.
    """
    if not can_enclose():
        pytest.skip("mount namespaces need root")
    arguments = ["unshare", "--mount", "sh", "-c", _ENCLOSURE, "sh", str(root), *bound, "--"]
    enclosed = [*arguments, *words(command)]
    return subprocess.run(enclosed, capture_output=True, text=True, timeout=60)  # noqa: S603  # see above
