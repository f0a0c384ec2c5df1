"""The files of a database: which there are, and whether they are safe to use."""

import glob
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai import safe_files

if TYPE_CHECKING:  # the operator's commands do without it
    from structlog.typing import FilteringBoundLogger

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the file's name; all of them hold what people said."""

LOCK = ".lock"

DAMAGED = ".damaged-"
"""Stands in the names of databases that were set aside, before the time."""

_MAGIC = b"SQLite format 3\x00"


def log_of(database: Path) -> Path:
    """The write-ahead log."""
    return database.with_name(database.name + "-wal")


def files(database: Path) -> list[Path]:
    """The database itself first, and its lock last."""
    return [database.with_name(database.name + suffix) for suffix in ("", *COMPANIONS, LOCK)]


def refuse_unsafe(database: Path) -> None:
    """See `safe_files`. Raises `UnsafeFile`, `OSError`.

    SQLite opens files by path, so this is only a check beforehand. A file that is exchanged after it is what
    `privileges` guards against.
    """
    for file in files(database):
        safe_files.refuse_unsafe(file)


def open_to_others(database: Path) -> dict[Path, int]:
    """Which of them others than their owner may read or write, with their modes."""
    found = {}
    for file in [*files(database), *database.parent.glob(f"{glob.escape(database.name)}{DAMAGED}*")]:
        try:
            mode = file.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & safe_files.OTHERS:
            found[file] = stat.S_IMODE(mode)
    return found


def tighten(database: Path, log: "FilteringBoundLogger") -> None:
    """Take others' access to these files away, as a restored copy may give it, and log each.

    Call while this process has none of them open: SQLite's locks would be lost. What cannot be changed is
    logged, and stays.
    """
    for file, mode in open_to_others(database).items():
        try:
            safe_files.tighten(file)
        except OSError as error:
            log.warning(
                "database readable by other users",
                file=str(file),
                mode=f"{mode:o}",
                reason=str(error.strerror),
            )
        else:
            log.warning("file was open to other users: mode is 600 now", file=str(file), mode=f"{mode:o}")


def is_foreign(path: Path) -> bool:
    """Whether the file exists, has content, and is no SQLite database. Raises `UnsafeFile`."""
    try:
        descriptor = safe_files.open_existing(path)
    except safe_files.UnsafeFile:
        raise
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(len(_MAGIC))
    return bool(head) and head != _MAGIC
