"""What several commands share: options, texts, and how a channel's settings change."""

from collections.abc import Sequence

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.audit_log import PrivilegedAct, RefusalCause
from discordianai.discord.commands.command import CommandReply, Invocation
from discordianai.discord.commands.declaration import Offer, Option, OptionKind
from discordianai.discord.commands.quotation import quoted
from discordianai.discord.commands.services import Channels
from discordianai.discord.events.interaction import Location, location
from discordianai.discord.events.permissions import MANAGE_CHANNELS

NOTHING_HERE = "I don't remember anything from this conversation."
NOT_YET_ERASED = (
    "Another program is reading my database, perhaps a backup, so a last copy stays in its files until that"
    " has ended."
)
NOT_IN_GROUPS = "That can be changed in servers and in our direct messages, not where others read along."
NOT_ALLOWED = "Only people who can manage this channel can change that."
AS_USUAL = "In this channel, I answer as usual."

PRIVATE = Option("private", "Only you see the answer", OptionKind.BOOLEAN)


def model_option(description: str) -> Option:
    """One of the bot's models, completed while it is typed."""
    return Option(
        "model",
        description,
        max_length=100,
        autocomplete=_models,
        available=lambda offer: offer.several_models,
    )


def _models(typed: str, offer: Offer) -> Sequence[str]:
    return [model for model in offer.all_models if typed.lower() in model.lower()]


def messages(count: int) -> str:
    """So many messages."""
    return f"{count:,} message{'s' * (count != 1)}"


def clear_option(what: str) -> Option:
    """Goes back to the usual ones."""
    return Option("clear", f"Go back to the usual {what}; needs Manage Channels", OptionKind.BOOLEAN)


async def set_channel(
    invocation: Invocation, channels: Channels, settings: ChannelSettings, act: PrivilegedAct
) -> CommandReply:
    """Set it if the person may, and say what applies now. In a server that is a privileged `act`."""
    if _among_others(invocation):
        return CommandReply(NOT_IN_GROUPS, refused=RefusalCause.PERMISSION)
    if not _may_change(invocation):
        return CommandReply(NOT_ALLOWED, refused=RefusalCause.PERMISSION)
    done = None if invocation.origin.place.guild_id is None else act
    await channels.set_channel(invocation.origin.place, invocation.origin.person.id, settings)
    if not settings:
        return CommandReply(AS_USUAL, act=done)
    parts = []
    if settings.model:
        parts.append(f"From now on, {settings.model} answers in this channel.")
    if settings.persona:
        parts.append(f"My instructions for this channel:\n{quoted(settings.persona)}")
    return CommandReply("\n".join(parts), act=done)


def settings_here(invocation: Invocation, channels: Channels) -> ChannelSettings:
    """The settings of that place: none in direct messages with others."""
    return ChannelSettings() if _among_others(invocation) else channels.channel(invocation.origin.place)


def _among_others(invocation: Invocation) -> bool:
    """In direct messages with others, nobody may change settings for the rest."""
    return location(invocation.origin) is Location.GROUP_DM


def _may_change(invocation: Invocation) -> bool:
    """In direct messages with the bot, the person decides alone."""
    alone = invocation.origin.place.guild_id is None
    return alone or invocation.admin or invocation.origin.may(MANAGE_CHANNELS)
