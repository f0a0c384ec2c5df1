"""The files of a database: which there are, and whether they are what they should be."""

import stat
from pathlib import Path

from discordianai import safe_files

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the file's name; all of them hold what people said."""

LOCK = ".lock"


def files(database: Path) -> list[Path]:
    """The database itself first, and its lock last."""
    return [database.with_name(database.name + suffix) for suffix in ("", *COMPANIONS, LOCK)]


def refuse_unsafe(database: Path) -> None:
    """See `safe_files`. Raises `UnsafeFile`, `OSError`.

    SQLite opens them by path, so this is a look before: an exchange after it is what `privileges` is for.
    """
    for file in files(database):
        safe_files.refuse_unsafe(file)


def open_to_others(database: Path) -> dict[Path, int]:
    """Which of them others than their owner may read or write, with their modes."""
    found = {}
    for file in files(database):
        try:
            mode = file.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & 0o077:
            found[file] = stat.S_IMODE(mode)
    return found
