"""`/model`: the model that answers in a channel."""

from dataclasses import replace

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.services import Channels
from discordianai.discord.commands.shared import clear_option, model_option, set_channel, settings_here

NOT_SET = "No model is set for this channel. I choose a provider for each question and use its default model."
UNKNOWN = "I don't have that model. The available models are listed as you type."


async def handle(invocation: Invocation, channels: Channels) -> CommandReply:
    """Show the model for this channel, or set it."""
    wanted, clear = str(invocation.options.get("model", "")).strip(), invocation.options.get("clear")
    present = settings_here(invocation, channels)
    if not wanted and not clear:
        return CommandReply(_list(present, channels.offer))
    if not clear and wanted not in channels.offer.all_models:
        return CommandReply(UNKNOWN)
    return await set_channel(invocation, channels, replace(present, model="" if clear else wanted))


def _list(present: ChannelSettings, offer: Offer) -> str:
    here = f"In this channel, {present.model} answers." if present.model else NOT_SET
    lines = [f"- {provider.label}: {', '.join(models)}" for provider, models in offer.models.items()]
    return "\n".join([f"{here} Available models:", *lines])


COMMAND = HandledCommand(
    name="model",
    description="See or set the model for this channel",
    options=(model_option("Which model; needs Manage Channels"), clear_option("one")),
    available=lambda offer: offer.several_models,
    handle=handle,
)
