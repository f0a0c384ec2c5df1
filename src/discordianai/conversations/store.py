"""The port of the conversation store: what it stores and guarantees, how it fails, and its figures.

`sqlite` and `postgres` are its engines; `opening` chooses one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from discordianai.conversations.accounting import Accounts
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import PendingQuestions, StoredQuestion, TurnId
from discordianai.metric import Latency, Metric
from discordianai.records import Turn

IDENTIFIER_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """Instructions and model of one channel; empty where the bot's own are to be used."""

    persona: str = field(default="", repr=False)
    model: str = ""

    def __bool__(self) -> bool:
        return bool(self.persona or self.model)


class GuildRepository(Protocol):
    """Every call raises `StoreError`."""

    async def channels(self) -> Mapping[int, ChannelSettings]:
        """The settings by channel, of those channels that have any."""

    async def set_channel(
        self, channel_id: int, guild_id: int | None, person_id: int, settings: ChannelSettings
    ) -> None:
        """Store the settings of a channel; empty ones are removed.

        A server's belong to the server. Those of a direct message are the person's, and forgotten with them.
        """

    async def changed_elsewhere(self) -> None:
        """Wait until an operator, or another process, changes what is set here. For one task."""

    async def joined(self, guild_id: int) -> None:
        """The bot is in this server."""

    async def left(self, guild_id: int) -> None:
        """The bot has left this server now."""

    async def present(self) -> frozenset[int]:
        """The servers that the bot is in, as far as Discord has said."""

    async def left_before(self, at: float) -> tuple[int, ...]:
        """The servers that it left before that time, in seconds since the epoch.

        `ConversationStore.drop_guild` takes them out of this list.
        """


class StoreError(Exception):
    """The store could not do it; the text says why, for the operator."""


class KeptInMemory(StoreError):
    """The database cannot be written now, or takes long: the change is kept in memory, and written later.

    A crash before that loses it. What can be kept is bounded; `Health.lost` counts what was dropped.
    """


class ClaimLost(StoreError):
    """Another process has taken the question over, because this one seemed to be dead; it answers there."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the database takes writes. `reason` is a sentence for the operator, empty while it does.

    `since` is in seconds since the epoch.
    """

    writable: Annotated[bool, Metric("store_writable", "1 while the database accepts writes")] = True
    reason: str = ""
    since: float = 0.0
    slow: Annotated[bool, Metric("store_slow", "1 while a write takes 2 s or longer")] = False
    kept: Annotated[
        int, Metric("store_kept_changes", "Changes held in memory until the database accepts writes")
    ] = 0
    lost: Annotated[
        int,
        Metric("store_lost_changes_total", "Changes lost because they did not fit in memory", notable=True),
    ] = 0


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """At one moment. What an engine does not have is None, or 0 of the cache.

    `unencrypted`: what people say crosses a network in the clear. `committing` is the seconds that the
    present transaction has taken so far.
    """

    engine: Annotated[
        str, Metric("store_info", "Always 1; the label has the database's engine", ("engine",))
    ] = "SQLite"
    unencrypted: Annotated[
        bool,
        Metric("store_unencrypted", "1 while the connection to the database crosses a network without TLS"),
    ] = False
    conversations: Annotated[int | None, Metric("conversations", "Conversations in the database")] = None
    reads: Annotated[
        Latency, Metric("store_read_seconds", "Time to read from the database, including the wait")
    ] = field(default_factory=Latency)
    writes: Annotated[
        Latency, Metric("store_write_seconds", "Time until a write is durable, including the wait")
    ] = field(default_factory=Latency)
    cached_bytes: Annotated[int, Metric("store_cache_bytes", "Memory used by the conversation cache")] = 0
    cached_conversations: Annotated[
        int, Metric("store_cached_conversations", "Conversations in the cache")
    ] = 0
    cache_hits: Annotated[int, Metric("store_cache_hits_total", "Reads answered from the cache")] = 0
    cache_misses: Annotated[int, Metric("store_cache_misses_total", "Reads not answered from the cache")] = 0
    writes_waiting: Annotated[int, Metric("store_writes_waiting", "Writes waiting for their turn")] = 0
    commits: Annotated[int, Metric("store_commits_total", "Transactions committed")] = 0
    committing: float = 0.0
    log_pages: Annotated[
        int | None, Metric("store_log_pages", "SQLite: pages of 4 KiB in the write-ahead log")
    ] = None
    longest_pause: Annotated[
        float | None,
        Metric("store_longest_pause_seconds", "SQLite: longest wait of a write for a checkpoint"),
    ] = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed: how many turns, and whether its bytes are overwritten in the database's files.

    In any case it is no longer shown to anybody. Where `erased` is False, somebody reads an older state, and
    it is overwritten as soon as that has ended. It is None where the engine does not overwrite what it
    removes, but uses the space again by and by.
    """

    turns: int
    erased: bool | None = True


class ConversationStore(Protocol):
    """Recent conversations. Every call but `recent` raises `StoreError`.

    A call that is cancelled has been done or not been done, never by half.
    """

    async def recent(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """The newest `limit` turns within the time to live, oldest first, beginning with a person's.

        While the database cannot be read, only what is in memory.
        """

    async def append(
        self,
        key: ConversationKey,
        turns: Sequence[Turn],
        *,
        person_id: int | None = None,
        guild_id: int | None = None,
    ) -> None:
        """Store `turns` together; they are durable when this returns. Raises `KeptInMemory`.

        `person_id` is whose words these are and answer to, by default the key's; `guild_id` is where.
        """

    async def said(self, turn: TurnId) -> StoredQuestion | None:
        """What a person said in that turn; None where it is forgotten."""

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """All that is stored of this person, as JSON Lines, and whether it is all.

        Where it is more than `most_bytes`, the oldest turns are missing.
        """

    async def reset(self, key: ConversationKey) -> Removal:
        """Forget one conversation."""

    async def forget(self, person_id: int) -> Removal:
        """Forget all that this person said and was told, everywhere, and what is set in direct messages.

        Open questions of the person are answered, and not remembered. What the person's answers cost stays in
        the totals, without the person; only today's sum keeps the id until midnight UTC, or forgetting would
        lift the daily limit.
        """

    async def drop_guild(self, guild_id: int) -> Removal:
        """Forget all that was said and set in a server. Its costs stay."""


class Store(ConversationStore, PendingQuestions, Accounts, GuildRepository, Protocol):
    """All that the bot stores."""

    @property
    def health(self) -> Health:
        """Whether what is written now will last."""

    @property
    def figures(self) -> StoreStatistics:
        """What the store does, in numbers. Never waits."""

    async def identifier_key(self) -> bytes:
        """`IDENTIFIER_KEY_BYTES` random bytes, by which providers are told people and conversations apart.

        Made once, and kept; where the database takes nothing, those of this process. Raises nothing.
        """
