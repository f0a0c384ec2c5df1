"""What people want of the bot beside answers: one function for each errand, on the trio thread."""

from collections.abc import Callable
from dataclasses import dataclass, field

from discordianai.context import Contexts
from discordianai.conversations.channel_book import ChannelBook
from discordianai.conversations.store import Store
from discordianai.discord.buttons import Button
from discordianai.discord.messages import File
from discordianai.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandReply:
    """What the person reads, alone."""

    text: str = field(repr=False)
    buttons: tuple[Button, ...] = ()
    file: File | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """What the errands need. `describe` tells how the bot is, for its admins."""

    settings: Settings
    store: Store
    contexts: Contexts
    channels: ChannelBook
    describe: Callable[[], str]
