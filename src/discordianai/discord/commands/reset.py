"""`/reset`: the conversation here is forgotten."""

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.commands.shared import NOTHING_HERE
from discordianai.discord.events.interaction import MANAGE_MESSAGES

FORGOTTEN = "I've forgotten this conversation. Your next question starts a new one."
SHARED = "Everyone here shares this conversation, so only people who can manage messages can reset it."


async def handle(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """Forget the conversations that a question here would continue, the private one too."""
    origin = invocation.origin
    keys = conversations.keys_at(origin.person, origin.place)
    if keys[0].shared and not (invocation.admin or origin.may(MANAGE_MESSAGES)):
        return CommandReply(SHARED)
    turns = sum([await conversations.reset(key) for key in keys])
    return CommandReply(FORGOTTEN if turns else NOTHING_HERE)


COMMAND = HandledCommand(name="reset", description="Forget this conversation", own_data=True, handle=handle)
