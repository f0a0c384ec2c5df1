"""What the store on PostgreSQL needs: psycopg, which nobody else has to install, and a server new enough."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from discordianai.conversations.store import StoreError

INSTALL = "pipx install --force 'discordianai[postgres]', or the same with pip"

OLDEST_SERVER = 15
"""The first major version whose syntax the schema and the statements keep to."""


class ClientMissing(StoreError):
    """psycopg is not installed; the text says how to install it. To start again is no use."""


def is_missing() -> bool:
    """Whether psycopg is not installed."""
    return find_spec("psycopg") is None


@contextmanager
def needed_by(database: str) -> Iterator[None]:
    """Import what needs psycopg while the block runs. Raises `ClientMissing`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise ClientMissing(f"{database} is a PostgreSQL database, which needs psycopg: {INSTALL}") from None
