"""A local Discord: REST and gateway on 127.0.0.1, with Discord's own limits and rules."""

from discordianai.sandbox.discord.api_objects import (
    CHANNELS,
    SUPPORT,
    Channel,
    User,
    direct_messages,
    moderator,
    person,
)
from discordianai.sandbox.discord.discord_server import open_local_discord
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.options import DiscordOptions
from discordianai.sandbox.discord.sandbox_interaction import Interaction
from discordianai.sandbox.discord.sandbox_message import SandboxMessage

__all__ = [
    "CHANNELS",
    "SUPPORT",
    "Channel",
    "DiscordOptions",
    "Interaction",
    "LocalDiscord",
    "SandboxMessage",
    "User",
    "direct_messages",
    "moderator",
    "open_local_discord",
    "person",
]
