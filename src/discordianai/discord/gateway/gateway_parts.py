"""What the gateway needs of the rest of the bot."""

from dataclasses import dataclass

from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.option import Live


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """For its supervisor, and for the sessions of all shards."""

    options: Live[BotOptions]
    commands: OfferedCommands
    admission: Admission
    api: DiscordApi
    figures: DiscordCounter
