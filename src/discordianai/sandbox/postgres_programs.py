"""Finds PostgreSQL's programs, which most systems keep off the path."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from discordianai.conversations.postgres_client import OLDEST_SERVER

NEEDED = ("initdb", "postgres", "psql")

PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # PostgreSQL's own packages for Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",  # Homebrew on Intel
)
"""The newest version in each comes first."""

INSTALL = "install it: apt install postgresql, dnf install postgresql-server, or brew install postgresql@17"

QUICK = 10.0
"""Seconds that a program may take to tell its version."""


class PostgresMissing(Exception):
    """There is no PostgreSQL here that can be used; the text says what to install."""


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with PostgreSQL's programs, and their major version."""

    folder: Path
    version: int


def find_programs() -> Programs:
    """The first that are new enough: in PATH, in the usual places, or where pg_config says.

    Raises `PostgresMissing`.
    """
    old = 0
    for folder in _folders():
        if not all((folder / name).exists() for name in NEEDED):
            continue
        version = _version(folder / "postgres")
        if version >= OLDEST_SERVER:
            return Programs(folder, version)
        old = max(old, version)
    if old:
        raise PostgresMissing(f"PostgreSQL {old} is too old, {OLDEST_SERVER} or newer is needed: {INSTALL}")
    raise PostgresMissing(f"there is no PostgreSQL on this machine ({', '.join(NEEDED)}): {INSTALL}")


def _folders() -> Iterator[Path]:
    if in_path := shutil.which("initdb"):
        yield Path(in_path).resolve().parent
    for pattern in PLACES:
        found = Path("/").glob(pattern.lstrip("/"))
        yield from sorted(found, key=lambda folder: _number(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        yield Path(_output(pg_config, "--bindir").strip())


def _version(program: Path) -> int:
    """From a line such as `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; 0 if it has none."""
    return _number(_output(program, "--version").partition(") ")[2])


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0


def _output(program: str | Path, option: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # a program that was looked for
            [program, option], capture_output=True, text=True, errors="replace", timeout=QUICK, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
