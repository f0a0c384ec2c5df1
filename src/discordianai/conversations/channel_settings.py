"""What is stored about channels and servers: settings of channels, and the servers of the bot."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


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
        """Wait until an operator removes something, or puts another database there. For one task."""

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
