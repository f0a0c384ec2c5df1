"""What the errors of PostgreSQL and of psycopg mean for the store, in sentences of ours.

Their own texts quote rows and parts of the address, so none of them goes into a log or an error.
"""

import re

import psycopg

from discordianai.conversations.database_url import PASSWORD_CREDENTIAL, PASSWORD_VARIABLE
from discordianai.conversations.engine.errors import ErrorKind

_REFUSED = "it refuses the user or the password: `discordianai check` says where the password comes from"
_NO_PASSWORD = (
    f"it asks for a password, and none is set: put it into {PASSWORD_VARIABLE}, the credential"
    f" {PASSWORD_CREDENTIAL}, or ~/.pgpass"
)
_SYSTEM_USER = (
    "its pg_hba.conf lets in only the system user of that name: run this as that user, or allow a password"
)
_NOT_ADMITTED = "its pg_hba.conf does not let this user in from here: add a line for that"
_MISSING = "there is no database of that name: create it, with this user as its owner"
_FULL_HOUSE = "it has no connection left for this user: see max_connections"
_STARTING = "it is starting or shutting down"
_CLOSED = "it takes no connections at present"
_STANDBY = "it is a read-only standby: name the primary, or all hosts and target_session_attrs=read-write"
_NO_RIGHT_TO_CONNECT = "its user may not connect to this database: make that user the owner"
_NO_NAME = "its host name cannot be resolved: compare it with the server's, and look at DNS"
_NOBODY_LISTENS = "nothing listens at its address: see whether it runs, and compare host and port"
_LOST = "the connection to it was lost"
_SILENT = "it does not answer in time"
_NO_RIGHTS = (
    "its user lacks a permission, to create tables or to read and write them: make that user the owner of the"
    " database and of its tables"
)
_LOCKED = "another program holds its tables locked"

_BY_STATE = {
    "25006": _STANDBY,
    "25P03": _LOST,
    "25P04": _SILENT,
    "3D000": _MISSING,
    "3F000": "its schema is missing",
    "42501": _NO_RIGHTS,
    "42P01": "its tables are missing",
    "42703": "its tables are not this program's",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": _FULL_HOUSE,
    "55P03": _LOCKED,
    "57014": _SILENT,
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": _STARTING,
    "57P05": _LOST,
}
_BY_CLASS = {
    "08": _LOST,
    "28": _REFUSED,
    "40": _LOCKED,
    "53": "it is short of resources",
    "57": _LOST,
    "58": "its disk reports an error",
    "XX": "it reports damaged data",
}
_BY_TEXT = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"no password supplied", _NO_PASSWORD),
        (r"(peer|ident) authentication", _SYSTEM_USER),
        (r"password authentication|role .* does not exist|SASL", _REFUSED),
        (r"pg_hba\.conf", _NOT_ADMITTED),
        (r"database .* does not exist|no such database", _MISSING),
        (r"not currently accepting", _CLOSED),
        (r"too many (clients|connections)|connection slots", _FULL_HOUSE),
        (r"starting up|shutting down|recovery mode|not yet accepting", _STARTING),
        (r"read-only|not read-write", _STANDBY),
        (r"translate host name|name resolution|not known", _NO_NAME),
        (r"permission denied for database", _NO_RIGHT_TO_CONNECT),
        (r"refused|no such file", _NOBODY_LISTENS),
        (r"ssl|certificate|tls", "TLS with it fails: see sslmode and sslrootcert"),
        (r"timeout|timed out", _SILENT),
        (r"closed|lost|reset|terminat|broken pipe", _LOST),
    )
)
_OTHERWISE = "it cannot be used"


def kind_of(error: Exception) -> ErrorKind:
    """What `error` says about the database."""
    if isinstance(error, OSError):
        return ErrorKind.UNAVAILABLE
    if not isinstance(error, psycopg.Error):
        return ErrorKind.STATEMENT
    if error.sqlstate is None:
        return ErrorKind.UNAVAILABLE if isinstance(error, psycopg.OperationalError) else ErrorKind.STATEMENT
    if error.sqlstate.startswith("XX"):
        return ErrorKind.STATEMENT  # of one page, or a bug: everything else goes on
    known = error.sqlstate in _BY_STATE or error.sqlstate[:2] in _BY_CLASS
    return ErrorKind.UNAVAILABLE if known else ErrorKind.STATEMENT


def lost_connection(error: Exception) -> bool:
    """Whether the connection is of no use any more, whatever is done with it."""
    if not isinstance(error, psycopg.Error):
        return isinstance(error, OSError)
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state in _ENDING or state.startswith("08")


def is_conflict(error: Exception) -> bool:
    """Whether another transaction was in the way of this one, which may simply be tried again."""
    return (getattr(error, "sqlstate", None) or "").startswith("40")


def only_this_transaction(error: Exception) -> bool:
    """Whether another transaction may succeed now: a smaller one, or one that nobody is in the way of."""
    return is_conflict(error) or getattr(error, "sqlstate", None) == "53100"


_ENDING = {"25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05"}
"""A standby stays one on this connection; after a failover another server answers on a new one."""


def reason(error: Exception) -> str:
    """A few words for the operator."""
    if not isinstance(error, psycopg.Error):
        return "the system reports an error" if isinstance(error, OSError) else _OTHERWISE
    state = error.sqlstate
    if state is not None:
        return _BY_STATE.get(state) or _BY_CLASS.get(state[:2], f"it refuses a statement (SQLSTATE {state})")
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return _SILENT
    text = str(error)
    return next((words for pattern, words in _BY_TEXT if pattern.search(text)), _OTHERWISE)
