"""A local Discord: REST and gateway on 127.0.0.1, with Discord's own limits and rules."""

from discordianai.sandbox.discord.interaction import Interaction
from discordianai.sandbox.discord.messages import Message
from discordianai.sandbox.discord.server import open_local_discord
from discordianai.sandbox.discord.state import DiscordOptions, LocalDiscord
from discordianai.sandbox.discord.world import (
    CHANNELS,
    SUPPORT,
    Channel,
    User,
    direct_messages,
    moderator,
    person,
)

__all__ = [
    "CHANNELS",
    "SUPPORT",
    "Channel",
    "DiscordOptions",
    "Interaction",
    "LocalDiscord",
    "Message",
    "User",
    "direct_messages",
    "moderator",
    "open_local_discord",
    "person",
]
