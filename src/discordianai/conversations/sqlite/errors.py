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
    known = primary in _REASONS or lacks_table(error)
    return ErrorKind.UNAVAILABLE if known else ErrorKind.STATEMENT


def lacks_table(error: Exception) -> bool:
    """Whether a table is missing that is there when a file is opened: its content is another one now."""
    return code(error) == sqlite3.SQLITE_ERROR and str(error).startswith("no such table: ")


def reason(error: Exception) -> str:
    """A few words for the operator. SQLite's own texts never quote what people said."""
    if lacks_table(error):  # whichever was looked for
        return "a table is missing, as if the content was exchanged"
    return _REASONS.get(code(error), str(error))


def code(error: Exception) -> int:
    """SQLite's primary result code, without the bits of an extended one; 0 for any other error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
