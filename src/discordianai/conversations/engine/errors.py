"""What an error of a database means for the store."""

from enum import Enum

INCOMPLETE_MOVE = (
    "a move of conversations into it is not complete: repeat `discordianai conversations move`, which goes on"
    " from there, or name another database"
)
"""Why neither a bot nor a command uses it."""

OTHER_MOVE = (
    "a move into it was begun by another version of this program: finish it with that one, or name another"
    " database"
)


class ErrorKind(Enum):
    """What an error says about the database as a whole."""

    STATEMENT = "nothing: only the statement that met it failed"
    UNAVAILABLE = "it cannot be used now; that may pass"
    CORRUPT = "its content is not to be trusted"
