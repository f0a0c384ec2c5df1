"""`/persona`: the bot's instructions for a channel."""

from dataclasses import replace

from discordianai.discord.audit_log import PrivilegedAct
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.declaration import Option
from discordianai.discord.commands.quotation import quoted
from discordianai.discord.commands.services import Channels
from discordianai.discord.commands.shared import clear_option, set_channel, settings_here

LONGEST_PERSONA = 2000
"""Characters."""

USUAL = "There are no special instructions for this channel."


async def handle(invocation: Invocation, channels: Channels) -> CommandReply:
    """Show the instructions for this channel, or set them."""
    wanted = str(invocation.options.get("instructions", "")).strip()
    clear = invocation.options.get("clear")
    present = settings_here(invocation, channels)
    if not wanted and not clear:
        return CommandReply(quoted(present.persona) if present.persona else USUAL)
    settings = replace(present, persona="" if clear else wanted)
    return await set_channel(invocation, channels, settings, PrivilegedAct.PERSONA)


COMMAND = HandledCommand(
    name="persona",
    description="See or set my instructions for this channel",
    options=(
        Option("instructions", "How I should behave here; needs Manage Channels", max_length=LONGEST_PERSONA),
        clear_option("ones"),
    ),
    handle=handle,
)
