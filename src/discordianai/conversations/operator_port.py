"""What an operator's commands read and change in a database, beside bots that may be running. Synchronous.

`sqlite` and `postgres` implement it; `opening` opens the one that is meant.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from discordianai.conversations.accounting import Spent
from discordianai.conversations.database_url import DatabaseUrl

Report = Callable[[int, int], None]
"""Takes how much is done and the total, which is 0 where it is not known."""


class SecretText(Protocol):
    """A text that no log shows, such as pydantic's `SecretStr`."""

    def get_secret_value(self) -> str:
        """The text itself."""


@dataclass(frozen=True, slots=True)
class DatabaseOnServer:
    """A PostgreSQL database. Without a `password`, libpq looks for one."""

    url: DatabaseUrl
    password: SecretText | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self.url)


Location = Path | DatabaseOnServer
"""Where a database is. A path is a file's."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person said and was answered, or what was said in a server, in a channel, or before a time in
    seconds since the epoch; otherwise everything.

    Under the scope `user` a conversation spans all channels, and belongs to none.
    """

    person_id: int | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """`oldest` and `newest` are the times of turns, in seconds since the epoch; sizes are in bytes.

    `people` and `servers` are those with a part in a remembered conversation; in a file, a person's words may
    have rolled out of it. `month` is since the first of the month, in UTC. `file_bytes` is what a file has,
    or the tables of a server with their indexes; what an engine does not tell is None.
    """

    conversations: int
    turns: int
    people: int
    servers: int
    open_questions: int
    oldest: float | None
    newest: float | None
    file_bytes: int
    free_bytes: int | None
    log_bytes: int | None
    today: Spent
    month: Spent


class OperatorDatabase(Protocol):
    """A database that is open for reading. Every call raises `StoreError`."""

    def remarks(self) -> Iterator[str]:
        """Sentences: which database it is, whether a bot runs on it, and what is wrong about it."""

    def bot_is_running(self) -> bool:
        """Whether any bot has it open."""

    def inspect(self, now: float) -> Inspection:
        """Count everything. A million conversations take a second or two."""

    def count(self, selection: Selection) -> int:
        """How many turns a selection has."""

    def exported(self, selection: Selection, report: Report) -> Iterator[str]:
        """The turns as JSON Lines, by conversation, without their ends. See `json_lines`.

        Of a person, all else that is stored follows. Memory is bounded.
        """

    def identifier_key(self) -> bytes | None:
        """See `Store.identifier_key`; None if there is none yet."""

    def known_ids(self) -> Iterator[tuple[str, int]]:
        """The ids of people, servers and channels that are stored, each with what it is."""


class Purge(Protocol):
    """Removes what an operator selects, in steps that bots hardly notice. Every call raises `StoreError`.

    What was removed until then stays removed.
    """

    def remove(self, selection: Selection, expected: int, report: Report) -> int:
        """Remove the turns, about `expected`, and what belongs to them; how many turns it was."""

    def shrink(self, report: Report) -> None:
        """Give the space back, as far as that disturbs nobody."""

    def finish(self) -> str:
        """Erase what was removed. A sentence about who does the rest; empty where nothing is left."""


class Backup(Protocol):
    """A copy of a database, made while bots run."""

    def refuse_target(self, target: Path) -> None:
        """Raise `StoreError` if a copy at `target` would harm a database, or be harmed."""

    def remarks(self) -> Iterator[str]:
        """See `OperatorDatabase.remarks`."""

    def copy(self, target: Path, report: Report) -> None:
        """Copy into `target`, an empty file of this user's. Raises `StoreError`, `OSError`."""

    def check(self, copied: Path, report: Report) -> None:
        """Raise `StoreError` if the copy is damaged, and so is the original."""
