"""What the errors of SQLite and of the system mean for the store."""

import errno
import sqlite3

from discordianai.conversations.engine.errors import ErrorKind

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


def kind_of(error: Exception) -> ErrorKind:
    """What `error` says about the database."""
    if isinstance(error, OSError):
        return ErrorKind.UNAVAILABLE if error.errno in _PASSING else ErrorKind.STATEMENT
    primary = code(error)
    if primary in _DAMAGE:
        return ErrorKind.CORRUPT
    return ErrorKind.UNAVAILABLE if primary in _REASONS else ErrorKind.STATEMENT


def reason(error: Exception) -> str:
    """A few words for the operator. SQLite's own texts never quote what people said."""
    return _REASONS.get(code(error), str(error))


def code(error: Exception) -> int:
    """SQLite's primary result code, without the bits of an extended one; 0 for any other error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
