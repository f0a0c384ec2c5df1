"""How the bot is to be in a channel: its instructions there, and its model."""

from dataclasses import replace

from discordianai.conversations.places import ChannelSettings
from discordianai.discord.commands.services import CommandReply, Services
from discordianai.discord.interaction import MANAGE_CHANNELS
from discordianai.discord.outcomes import RunCommand

NOT_ALLOWED = "Only people who may manage this channel can change that."
USUAL_PERSONA = "I have no instructions of my own for this channel."
UNKNOWN_MODEL = "I don't have that model. The list comes while you type."


def _may_change(request: RunCommand) -> bool:
    """In a direct message there is nobody else to ask."""
    alone = request.origin.place.guild_id is None
    return alone or request.admin or request.origin.may(MANAGE_CHANNELS)


async def persona(request: RunCommand, services: Services) -> CommandReply:
    """Show the instructions for this channel, or set them."""
    wanted, clear = str(request.options.get("instructions", "")).strip(), request.options.get("clear")
    present = services.channels.of(request.origin.place)
    if not wanted and not clear:
        return CommandReply(_quoted(present.persona) if present.persona else USUAL_PERSONA)
    return await _change(request, services, replace(present, persona="" if clear else wanted))


async def model(request: RunCommand, services: Services) -> CommandReply:
    """Show the model for this channel, or set it."""
    wanted, clear = str(request.options.get("model", "")).strip(), request.options.get("clear")
    present = services.channels.of(request.origin.place)
    if not wanted and not clear:
        return CommandReply(_models(present, services))
    if not clear and services.settings.provider_of(wanted) is None:
        return CommandReply(UNKNOWN_MODEL)
    return await _change(request, services, replace(present, model="" if clear else wanted))


async def _change(request: RunCommand, services: Services, settings: ChannelSettings) -> CommandReply:
    if not _may_change(request):
        return CommandReply(NOT_ALLOWED)
    await services.channels.set(request.origin.place, request.origin.person.id, settings)
    if not settings:
        return CommandReply("I am in this channel as I usually am.")
    parts = []
    if settings.model:
        parts.append(f"From now on {settings.model} answers in this channel.")
    if settings.persona:
        parts.append(f"My instructions for this channel:\n{_quoted(settings.persona)}")
    return CommandReply("\n".join(parts))


def _models(present: ChannelSettings, services: Services) -> str:
    settings = services.settings
    lines = [
        f"- {provider.label}: {', '.join(settings.models_of(provider.name))}"
        for provider in settings.configured
    ]
    here = present.model or "whichever fits, the first of each"
    return "\n".join([f"In this channel: {here}. I have:", *lines])


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())
