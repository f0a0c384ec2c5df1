"""What an error of a database means for the store."""

from enum import Enum


class ErrorKind(Enum):
    """What an error says about the database as a whole."""

    STATEMENT = "nothing: only the statement that met it failed"
    UNAVAILABLE = "it cannot be used now; that may pass"
    CORRUPT = "its content is not to be trusted"
