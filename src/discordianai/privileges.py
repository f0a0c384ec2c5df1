"""Root's commands act as the owner of the database while they have it open.

The state directory belongs to the service's user, who can replace its files at any moment, even between a
check of a file and its use. SQLite opens its files by path and, when run by root, changes the owner of some
to the database's owner. So root takes on that owner's identity: whatever the files are then, nothing is
written or given away that this user could not write anyway.

Only the effective identity changes: nobody but root may trace or signal the process meanwhile. On Linux one
capability stays, to read and to enter any folder, since systemd keeps the state directories of services
with `DynamicUser=` in /var/lib/private, which nobody but root enters.
"""

import ctypes
import errno
import os
import pwd
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CAPABILITY_VERSION = 0x20080522
"""`_LINUX_CAPABILITY_VERSION_3`, see capset(2)."""

_READ_AND_SEARCH = 1 << 2
"""`CAP_DAC_READ_SEARCH`."""


@contextmanager
def acting_as_owner(database: Path) -> Iterator[None]:
    """Where root runs this, act as whoever owns the database's folder, or, in one of root's, the database.

    Nothing changes for anybody else, nor where both are root's. Raises `OSError`.
    """
    owner = _owner(database) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    try:
        _become(*owner, database)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _owner(database: Path) -> tuple[int, int] | None:
    """User and group; None where it is root, or nobody knows yet."""
    try:
        status = database.parent.stat()
        if status.st_uid == 0:
            status = database.lstat()
    except OSError:
        return None  # whoever opens it says so
    if status.st_uid == 0 or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    try:
        group = pwd.getpwuid(status.st_uid).pw_gid
    except KeyError:
        group = status.st_gid
    return status.st_uid, group or status.st_uid  # never root's group


def _become(user: int, group: int, database: Path) -> None:
    try:
        os.setgroups([])
        os.setegid(group)
        os.seteuid(user)
        if sys.platform == "linux":
            _keep_reading()
    except OSError as error:
        why = f"this process may not act as user {user}, its owner ({error.strerror}); run it as that user"
        raise PermissionError(errno.EPERM, why, str(database)) from None


def _keep_reading() -> None:
    """Of root's capabilities, which are permitted still, make this one effective; it may be missing."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, and the same for the higher half
    if libc.capget(header, sets) == 0:
        sets[0], sets[3] = sets[1] & _READ_AND_SEARCH, 0
        libc.capset(header, sets)
