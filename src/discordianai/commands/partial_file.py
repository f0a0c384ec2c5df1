"""A file that is there whole, or not at all.

It is written beside its target under another name, readable by its owner alone, and renamed when all of it is
on the disk.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NotWritten(Exception):
    """The file could not be made; the text says why, for the operator."""


@contextmanager
def partial_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """The path of an empty file, which becomes `target` when the block ends without an error.

    Raises `NotWritten`, also for an `OSError` in the block.
    """
    try:
        target = target.resolve()  # a link stays one
        _refuse(target, overwrite=overwrite)
        partial = target.with_name(f".discordianai-{secrets.token_hex(4)}.partial")
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            yield partial
            _sync(partial)
            _refuse(target, overwrite=overwrite)
            partial.rename(target)
            _sync(target.parent)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritten(f"{target} cannot be written: {error.strerror}") from error


def _refuse(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_file():
        raise NotWritten(f"{target} is not a file; name another place")
    if not overwrite:
        raise NotWritten(f"{target} is there already; name another file, or overwrite it with --force")


def _sync(path: Path) -> None:
    """Have it on the disk; of a folder, the names in it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
