"""`/status`: how the bot is, for its admins."""

from discordianai.discord.audit_log import PrivilegedAct
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Status


async def handle(_invocation: Invocation, status: Status) -> CommandReply:
    return CommandReply(status.status(), act=PrivilegedAct.STATUS)


COMMAND = HandledCommand(
    name="status", description="The bot's status, for its admins", admins_only=True, handle=handle
)
