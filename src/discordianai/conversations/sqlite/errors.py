"""What SQLite's and the system's errors mean for the store."""

import errno
import sqlite3
from enum import Enum

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file, or the disk, is read-only",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "the file's permissions forbid it",
    sqlite3.SQLITE_BUSY: "another program holds it locked",
    sqlite3.SQLITE_LOCKED: "another program holds it locked",
    sqlite3.SQLITE_PROTOCOL: "another program holds it locked",
    sqlite3.SQLITE_NOLFS: "the file is larger than the disk allows",
}
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}


class Trouble(Enum):
    """What an error says about the database, beside the call that failed."""

    NONE = "nothing: the call itself was wrong"
    UNUSABLE = "it takes nothing now, and may again"
    DAMAGED = "its content is not to be trusted"


def trouble(error: Exception) -> Trouble:
    """What `error` says about the database."""
    if isinstance(error, OSError):
        return Trouble.UNUSABLE if error.errno in _PASSING else Trouble.NONE
    primary = code(error)
    if primary in _DAMAGE:
        return Trouble.DAMAGED
    return Trouble.UNUSABLE if primary in _REASONS else Trouble.NONE


def reason(error: Exception) -> str:
    """A few words for the operator. Nothing that anybody said is in SQLite's own."""
    return _REASONS.get(code(error), str(error))


def code(error: Exception) -> int:
    """SQLite's primary result code, without what an extended one adds; 0 for another error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
