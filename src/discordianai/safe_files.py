"""Opens, creates and reads files in folders that others can write to.

Whoever can write to a folder can put a symbolic link, a hard link to another file, or a FIFO where this
program expects its own file. So a file of ours is opened without following links, and is used only if it is
a regular file with a single name that belongs to the user running this, or to the owner of the folder. New
files are created with `O_EXCL`, and only those ever get another owner or mode. The folder is opened first,
and the file relative to it: replacing the folder meanwhile changes nothing.

A file that the operator names for reading may be behind a link; it must be a regular file of a bounded size.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# A FIFO would wait for somebody at its other end; a regular file never waits.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

OTHERS = 0o077
"""The bits of a mode that are for everybody but the owner."""

_TRIES = 5
"""How often a file may come and go between two looks at it."""


class UnsafeFile(OSError):
    """What is there is not a file to be used; `strerror` says why, and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def located(path: Path) -> Path:
    """The absolute path, with the links in its folders resolved: the file itself may not be one."""
    return path.parent.resolve() / path.name


def refuse_unsafe(path: Path) -> None:
    """Look at a file that something else opens by its path, as SQLite does. Nothing there is fine, too.

    Raises `UnsafeFile`, `OSError`.
    """
    with _folder(path) as folder:
        try:
            _refuse(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False), folder)
        except FileNotFoundError:
            return


def open_existing(path: Path, flags: int = os.O_RDONLY, *, mine: bool = False) -> int:
    """A descriptor of a file of ours; with `mine`, the owner of the folder will not do.

    Raises `UnsafeFile`, `OSError`.
    """
    with _folder(path) as folder:
        # Before as well, since the mere opening of a device can do things.
        _refuse(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False), folder, mine=mine)
        descriptor = os.open(path.name, flags | _CAREFULLY, dir_fd=folder)
        try:
            _refuse(path, os.fstat(descriptor), folder, mine=mine)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def tighten(path: Path) -> int | None:
    """Take everybody's access but the owner's away from a file of whoever runs this; its mode before.

    None where nobody else had any. POSIX locks that this process holds on the file are lost. Raises
    `UnsafeFile`, `OSError`.
    """
    descriptor = open_existing(path, mine=True)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if not mode & OTHERS:
            return None
        os.fchmod(descriptor, mode & ~OTHERS)
        return mode
    finally:
        os.close(descriptor)


def create(path: Path, mode: int = 0o600) -> int:
    """A descriptor of a new file, for reading and writing. Raises `OSError`."""
    with _folder(path) as folder:
        return os.open(path.name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CAREFULLY, mode, dir_fd=folder)


def open_or_create(path: Path, mode: int = 0o600) -> tuple[int, bool]:
    """A descriptor for reading and writing, and whether the file is new. Raises `UnsafeFile`, `OSError`."""
    for _ in range(_TRIES):
        try:
            return open_existing(path, os.O_RDWR), False
        except FileNotFoundError:
            pass
        try:
            return create(path, mode), True
        except FileExistsError:
            pass
    raise UnsafeFile(path, "comes and goes; see what else works in its folder")


def read(path: Path, most_bytes: int) -> bytes:
    """The content of a file that the operator names. Raises `UnsafeFile`, `OSError`."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnsafeFile(path, _not_regular(path.stat()))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeFile(path, _not_regular(status))
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnsafeFile(path, f"too large: at most {most_bytes:,} bytes are read")
    return content


def is_open_twice(descriptor: int) -> bool:
    """Whether this process has the file open once more: somebody who opened a path has reached this file.

    Descriptors are given out from the lowest: one of a library stands near ours.
    """
    ours = os.fstat(descriptor)
    for number in range(descriptor + 256):
        try:
            if number != descriptor and os.path.samestat(os.fstat(number), ours):
                return True
        except OSError:
            continue
    return False


def user(number: int) -> str:
    """The name of a user, for a sentence."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """The folder, open; an error in the block names the whole path."""
    try:
        folder = os.open(path.parent, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield folder
        finally:
            os.close(folder)
    except OSError as error:
        error.filename = str(path)
        raise


def _refuse(path: Path, status: os.stat_result, folder: int, *, mine: bool = False) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(path, _not_regular(status))
    if status.st_nlink > 1:
        raise UnsafeFile(
            path,
            f"has {status.st_nlink} names (hard links), so that it may be somebody else's file; remove this"
            " name, or make a copy of the file in its place",
        )
    owners = {os.geteuid()} if mine else {os.geteuid(), os.fstat(folder).st_uid}
    if status.st_uid not in owners:
        allowed = " or ".join(user(owner) for owner in sorted(owners))
        raise UnsafeFile(
            path,
            f"belongs to {user(status.st_uid)}, and should to {allowed}; see who put it there, then chown it",
        )


def _not_regular(status: os.stat_result) -> str:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        return "a symbolic link, which could lead to any file; name the file itself, or remove the link"
    if kind == stat.S_IFDIR:
        return "a folder, not a regular file; name a file, which may be in it"
    return f"{_KINDS.get(kind, 'something else')}, not a regular file; remove it, or name another file"
