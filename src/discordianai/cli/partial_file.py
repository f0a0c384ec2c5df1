"""Writes a file completely or not at all.

It is written beside its target under another name, readable by its owner alone, and renamed when all of it is
on the disk. Its folder may be one in which others write: it is held open, and what is renamed at the end is
the very file that was made here.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from discordianai.safe_files import located


class NotWritten(Exception):
    """The file could not be written; the message says why."""


@contextmanager
def partial_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """The path of an empty file, which becomes `target` when the block ends without an error.

    Whoever opens the path makes sure that it is a file of this user's: see `safe_files.open_existing`. Raises
    `NotWritten`, also for an `OSError` in the block.
    """
    try:
        target = located(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _refuse(target, folder, overwrite=overwrite)
            with _made(target.parent, folder) as (partial, descriptor):
                yield partial
                os.fsync(descriptor)
                _refuse(target, folder, overwrite=overwrite)
                if not _is_still(partial, descriptor, folder):
                    raise NotWritten(f"{partial} was replaced while being written; choose another folder")
                os.rename(partial.name, target.name, src_dir_fd=folder, dst_dir_fd=folder)
                os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise NotWritten(f"{target} cannot be written: {error.strerror}") from error


@contextmanager
def _made(parent: Path, folder: int) -> Iterator[tuple[Path, int]]:
    """A new file; what is left under its name is removed at the end."""
    partial = parent / f".discordianai-{secrets.token_hex(4)}.partial"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(partial.name, flags, 0o600, dir_fd=folder)
    try:
        yield partial, descriptor
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(partial.name, dir_fd=folder)


def _is_still(partial: Path, descriptor: int, folder: int) -> bool:
    now = os.stat(partial.name, dir_fd=folder, follow_symlinks=False)
    return os.path.samestat(now, os.fstat(descriptor))


def _refuse(target: Path, folder: int, *, overwrite: bool) -> None:
    try:
        mode = os.stat(target.name or ".", dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(mode):
        raise NotWritten(f"{target} is a symbolic link, which could lead to any file; name the file itself")
    if not stat.S_ISREG(mode):
        raise NotWritten(f"{target} is not a regular file; choose another path")
    if not overwrite:
        raise NotWritten(f"{target} already exists; choose another file, or overwrite it with --force")
