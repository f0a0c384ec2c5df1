"""What command handlers may use: a small protocol for each need, and one class that has them all."""

from collections.abc import Callable, Sequence
from typing import Protocol

from discordianai.answering.context import ContextBuilder
from discordianai.conversations.accounting import Limit, SpentOn
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.options import ConversationOptions
from discordianai.conversations.store import ChannelSettings, Removal, Store
from discordianai.discord.commands.declaration import Declaration, Offer
from discordianai.option import Live
from discordianai.records import Person, Place, Turn


class Conversations(Protocol):
    """What is remembered of people. Every call but `keys_at` and `recent` raises `StoreError`."""

    def keys_at(self, person: Person, place: Place) -> tuple[ConversationKey, ConversationKey]:
        """Of the conversation that a question there continues, and of the private one."""

    async def recent(self, key: ConversationKey) -> tuple[Turn, ...]:
        """The newest turns, oldest first: as many as are ever shown to a model."""

    async def reset(self, key: ConversationKey) -> Removal:
        """Forget one conversation."""

    async def forget(self, person_id: int) -> Removal:
        """Forget everything that this person said, was answered, and set in direct messages."""

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """All that is stored of this person, as JSON Lines, and whether it is all."""


class Channels(Protocol):
    """How the bot answers in a channel, and the models that can be set there."""

    @property
    def offer(self) -> Offer:
        """The providers and their models."""

    def channel(self, place: Place) -> ChannelSettings:
        """The settings of that channel."""

    async def set_channel(self, place: Place, person_id: int, settings: ChannelSettings) -> None:
        """Set it for that channel alone. Raises `StoreError`."""


class PersonalUsage(Protocol):
    """What a person has used."""

    @property
    def daily_limit(self) -> Limit:
        """What a person may use in a day."""

    @property
    def today(self) -> str:
        """The day (ISO 8601, UTC) to which answers are charged now."""

    async def spending(self, since: str, person_id: int) -> Sequence[SpentOn]:
        """What this person has used since that day (ISO 8601, UTC). Raises `StoreError`."""

    def label(self, provider: str) -> str:
        """The label of the provider with that name."""


class Status(Protocol):
    """The state of the bot."""

    def status(self) -> str:
        """In Markdown, at most one message."""


class CommandList(Protocol):
    """Which commands there are."""

    @property
    def commands(self) -> Sequence[Declaration]:
        """Those that are offered on this bot, in their order."""


class Offered(CommandList, Protocol):
    """The available commands, and the offer that decided this."""

    @property
    def offer(self) -> Offer:
        """The providers and their models."""


class Services(Conversations, Channels, PersonalUsage, Status, CommandList, Protocol):
    """All of it. A handler asks for the one that it needs."""


class BotServices:
    """The services of a running bot, on the trio thread. `describe` tells how it is."""

    def __init__(
        self,
        store: Store,
        contexts: ContextBuilder,
        channels: ChannelSettingsCache,
        describe: Callable[[], str],
        offered: Offered,
        conversations: Live[ConversationOptions],
        daily_limit: Live[Limit],
        ledger: Ledger,
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._channels = channels
        self._conversations = conversations
        self._daily_limit = daily_limit
        self._ledger = ledger
        self.status = describe
        self.commands = offered.commands
        self.offer = offered.offer

    def keys_at(self, person: Person, place: Place) -> tuple[ConversationKey, ConversationKey]:
        """See `Conversations`."""
        return self._contexts.key_at(person, place), self._contexts.key_at(person, place, private=True)

    async def recent(self, key: ConversationKey) -> tuple[Turn, ...]:
        """See `Conversations`."""
        return await self._store.recent(key, self._conversations.now.max_turns)

    async def reset(self, key: ConversationKey) -> Removal:
        """See `Conversations`."""
        return await self._store.reset(key)

    async def forget(self, person_id: int) -> Removal:
        """See `Conversations`."""
        removed = await self._store.forget(person_id)
        await self._channels.open()  # what was set in direct messages is gone, too
        return removed

    async def export(self, person_id: int, most_bytes: int) -> tuple[bytes, bool]:
        """See `Conversations`."""
        return await self._store.export(person_id, most_bytes)

    def channel(self, place: Place) -> ChannelSettings:
        """See `Channels`."""
        return self._channels.of(place)

    async def set_channel(self, place: Place, person_id: int, settings: ChannelSettings) -> None:
        """See `Channels`."""
        await self._channels.set(place, person_id, settings)

    @property
    def daily_limit(self) -> Limit:
        """See `PersonalUsage`."""
        return self._daily_limit.now

    @property
    def today(self) -> str:
        """See `PersonalUsage`."""
        return self._ledger.today

    def label(self, provider: str) -> str:
        """See `PersonalUsage`; the name of one that is no longer in the settings."""
        labels = {each.name: each.label for each in self.offer.providers}
        return labels.get(provider, provider)

    async def spending(self, since: str, person_id: int) -> Sequence[SpentOn]:
        """See `PersonalUsage`."""
        return await self._store.spending(since, person_id=person_id)
