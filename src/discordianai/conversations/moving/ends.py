"""Opens the two ends of a move, each by the kind of its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from discordianai.conversations import postgres_client
from discordianai.conversations.moving.port import Source, Target
from discordianai.conversations.operator_port import DatabaseOnServer, Location
from discordianai.conversations.store import StoreError


@contextmanager
def opened(origin: Location, destination: Location) -> Iterator[tuple[Source, Target]]:
    """Both ends, which nobody else uses meanwhile. Raises `StoreError`, `OSError`."""
    if isinstance(origin, Path) and isinstance(destination, Path):
        raise StoreError("both are files: copy the database with `discordianai backup FILE`")
    if isinstance(origin, DatabaseOnServer) and isinstance(destination, DatabaseOnServer):
        raise StoreError("both are PostgreSQL databases: copy one as `discordianai backup FILE` tells")
    with postgres_client.needed_by("one of them"):
        from discordianai.conversations.postgres import move_ends as servers
        from discordianai.conversations.sqlite import move_ends as files
    if isinstance(origin, Path):
        assert isinstance(destination, DatabaseOnServer)  # noqa: S101  # see above
        with (
            files.source(origin) as source,
            servers.target(destination, source.identifier_key) as target,
        ):
            yield source, target
    else:
        assert isinstance(destination, Path)  # noqa: S101  # see above
        with (
            servers.source(origin) as source,
            files.target(destination, source.identifier_key, source.newest_turn()) as target,
        ):
            yield source, target
