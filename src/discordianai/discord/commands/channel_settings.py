"""Changes what is set for a channel: what `/persona` and `/model` share."""

from discordianai.conversations.places import ChannelSettings
from discordianai.discord.commands.command import CommandReply, Invocation
from discordianai.discord.commands.declaration import Option, OptionKind
from discordianai.discord.commands.services import Channels
from discordianai.discord.commands.texts import quoted
from discordianai.discord.interaction import MANAGE_CHANNELS

NOT_ALLOWED = "Only people who may manage this channel can change that."
AS_USUAL = "I am in this channel as I usually am."


def clear_option(what: str) -> Option:
    """Goes back to the usual ones."""
    return Option("clear", f"Go back to the usual {what}; needs Manage Channels", OptionKind.BOOLEAN)


async def change(invocation: Invocation, channels: Channels, settings: ChannelSettings) -> CommandReply:
    """Set it, where the person may, and tell what holds now."""
    if not _may_change(invocation):
        return CommandReply(NOT_ALLOWED)
    await channels.set_channel(invocation.origin.place, invocation.origin.person.id, settings)
    if not settings:
        return CommandReply(AS_USUAL)
    parts = []
    if settings.model:
        parts.append(f"From now on {settings.model} answers in this channel.")
    if settings.persona:
        parts.append(f"My instructions for this channel:\n{quoted(settings.persona)}")
    return CommandReply("\n".join(parts))


def _may_change(invocation: Invocation) -> bool:
    """In a direct message there is nobody else to ask."""
    alone = invocation.origin.place.guild_id is None
    return alone or invocation.admin or invocation.origin.may(MANAGE_CHANNELS)
