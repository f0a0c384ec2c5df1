"""`/help`: what the bot can do, from the declarations of its commands."""

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.declaration import CommandKind
from discordianai.discord.commands.services import CommandList

NAME = "help"
BEGINNING = "**I answer questions.**"
END = "I remember what you say in a channel. Private answers and direct messages stay between us."


async def handle(_invocation: Invocation, listed: CommandList) -> CommandReply:
    """Each command with its description; neither this one, nor those of admins."""
    shown = [c for c in listed.commands if c.name != NAME and not c.admins_only]
    slash = [f"`/{c.name}` {c.description}" for c in shown if c.kind is CommandKind.CHAT_INPUT]
    menu = ", ".join(c.name for c in shown if c.kind is CommandKind.MESSAGE)
    return CommandReply("\n".join([BEGINNING, *slash, f"In a message's menu (Apps): {menu}", END]))


COMMAND = HandledCommand(name=NAME, description="What I can do", handle=handle)
