"""The port of the conversation store: what it keeps, what it promises, how it fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from discordianai.conversations.accounting import Accounts
from discordianai.conversations.keys import ConversationKey, Scope
from discordianai.conversations.pending import PendingQuestions, Said, TurnId
from discordianai.conversations.places import Places
from discordianai.metric import Metric
from discordianai.model import Turn

__all__ = [
    "ConversationKey",
    "ConversationStore",
    "Health",
    "KeptInMemory",
    "Scope",
    "Store",
    "StoreError",
]


class StoreError(Exception):
    """The store could not do it; the text says why, for the operator."""


class KeptInMemory(StoreError):
    """The database takes nothing now: it is kept in memory, and written when the database does again.

    A crash before that loses it. What can be kept is bounded; `Health.lost` counts what was dropped.
    """


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the database takes writes. `reason` is a sentence for the operator, empty while it does.

    `since` is in seconds since the epoch.
    """

    writable: Annotated[bool, Metric("store_writable", "1 while the database accepts writes")] = True
    reason: str = ""
    since: float = 0.0
    kept: Annotated[
        int, Metric("store_kept_changes", "Changes held in memory until the database accepts writes")
    ] = 0
    lost: Annotated[
        int,
        Metric("store_lost_changes_total", "Changes lost because they did not fit in memory", notable=True),
    ] = 0


class ConversationStore(Protocol):
    """What was said lately. Every call but `recent` raises `StoreError`.

    A call that is cancelled has been done or not been done, never by half.
    """

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """The newest `limit` turns within the time to live, oldest first, beginning with a person's.

        What memory knows, while the database cannot be read.
        """

    async def append(
        self,
        key: ConversationKey,
        turns: Sequence[Turn],
        *,
        person_id: int | None = None,
        guild_id: int | None = None,
    ) -> None:
        """Keep `turns` together, on disk when this returns. Raises `KeptInMemory`.

        `person_id` is whose words these are and answer to, by default the key's; `guild_id` is where.
        """

    async def said(self, turn: TurnId) -> Said | None:
        """What a person said in that turn; None where it is forgotten."""

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """All that this person said and was told, as JSON Lines, and whether it is all.

        Where it is more than `most_bytes`, the oldest lines are missing.
        """

    async def reset(self, key: ConversationKey) -> int:
        """Forget one conversation; how many turns it had."""

    async def forget(self, person_id: int) -> int:
        """Forget all that this person said and was told, everywhere; how many turns it was.

        Open questions of the person are answered, and not remembered. What the person's answers cost stays in
        the totals, without the person; only today's sum keeps the id until midnight UTC, or forgetting would
        lift the daily limit.
        """

    async def drop_guild(self, guild_id: int) -> int:
        """Forget all that was said and set in a server; how many turns it was. Its costs stay."""


class Store(ConversationStore, PendingQuestions, Accounts, Places, Protocol):
    """All that the bot keeps."""

    @property
    def health(self) -> Health:
        """Whether what is written now will last."""

    async def identifier_key(self) -> bytes:
        """32 random bytes, by which providers are told people and conversations apart.

        Made once, and kept; where the database takes nothing, those of this process. Raises nothing.
        """
