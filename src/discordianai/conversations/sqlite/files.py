"""The files of a database: which there are, whether they are safe to use, and the lock that gives them to
one bot.

The lock is taken with flock(2) on a file beside the database, never on the database itself: SQLite's own
locks are POSIX record locks, which a process loses when it closes any descriptor of the file, and which flock
may or may not meet, depending on the system. The file stays when the bot ends, since removing it would let
two bots hold "the" lock on two different files. So its presence also shows that a database was here.
"""

import errno
import fcntl
import glob
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from discordianai import safe_files
from discordianai.conversations.store import StoreError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to the file's name; all of them hold what people said."""

LOCK = ".lock"

DAMAGED = ".damaged-"
"""The part before the time in the names of databases that were set aside."""

_MAGIC = b"SQLite format 3\x00"


def log_of(database: Path) -> Path:
    """The write-ahead log."""
    return database.with_name(database.name + "-wal")


def index_of(database: Path) -> Path:
    """The index of the write-ahead log, which all processes share that have the database open."""
    return database.with_name(database.name + "-shm")


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
    """Those that others than their owner may read or write, with their modes."""
    found = {}
    for file in [*files(database), *database.parent.glob(f"{glob.escape(database.name)}{DAMAGED}*")]:
        try:
            mode = file.lstat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & safe_files.OTHERS:
            found[file] = stat.S_IMODE(mode)
    return found


def remarks(database: Path) -> Iterator[str]:
    """Sentences: whether a bot is running on it, and which of its files others can read."""
    yield f"{database}: {'a' if bot_is_running(database) else 'no'} bot is running on it"
    for file, mode in open_to_others(database).items():
        yield (
            f"{file} is open to others (mode {mode:o}), with what people said: chmod 600 {quote(str(file))}"
        )


def tighten(database: Path, log: "FilteringBoundLogger") -> None:
    """Remove others' access to these files, which a restored copy may have, and log each.

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


def lock_path(database: Path) -> Path:
    """The file that is locked."""
    return database.with_name(database.name + LOCK)


class DatabaseLock:
    """Held from construction to `release`.

    Raises `OSError`, `UnsafeFile` among them, and `StoreError` where another process holds it for longer than
    `patience` seconds.
    """

    def __init__(self, database: Path, patience: float = 0.0) -> None:
        self._database = database
        self._descriptor = _open(database)
        try:
            _lock(self._descriptor, patience)
            with suppress(OSError):  # the number is only for messages, and the disk may be full
                os.truncate(self._descriptor, 0)
                os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StoreError(
                f"the database {database} is in use by another bot (process {holder or 'unknown'}), or by a"
                " move; give each bot its own file: `database` in [conversations]"
            ) from None
        except BaseException:
            os.close(self._descriptor)
            raise

    def renewed(self) -> "DatabaseLock":
        """The lock; another one where its file was removed, perhaps with its folder. Raises as a new one."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._descriptor), lock_path(self._database).lstat()):
                return self
        lock = DatabaseLock(self._database)
        self.release()
        return lock

    def release(self) -> None:
        """Release it for the next bot."""
        os.close(self._descriptor)


def _open(database: Path) -> int:
    path = lock_path(database)
    try:
        descriptor, is_new = safe_files.open_or_create(path)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return safe_files.open_existing(path)
    if is_new:
        with suppress(OSError):
            # A bot that root runs must not leave a file that its own user cannot open; SQLite does the same.
            owner = database.lstat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _lock(descriptor: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


def bot_is_running(database: Path) -> bool:
    """Whether a bot has the database open. Raises `StoreError` where the lock file is unsafe."""
    try:
        descriptor = safe_files.open_existing(lock_path(database))
    except safe_files.UnsafeFile as error:
        raise StoreError(str(error)) from None
    except OSError:
        return False
    try:
        # Shared, so that two of the operator's commands do not mistake each other for a bot.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
