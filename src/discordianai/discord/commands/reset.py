"""`/reset`: the conversation here is forgotten."""

from collections.abc import Sequence

from discordianai.conversations.store import Removal
from discordianai.discord.audit_log import PrivilegedAct, RefusalCause
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.commands.shared import NOT_YET_ERASED, NOTHING_HERE
from discordianai.discord.events.permissions import MANAGE_MESSAGES

FORGOTTEN = "I've forgotten this conversation. Your next question starts a new one."
SHARED = "Everyone here shares this conversation, so only people who can manage messages can reset it."
PRIVATE_ONE = "I've forgotten what only you could see."


async def handle(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """Forget the conversations that a question here would continue, the private one too."""
    origin = invocation.origin
    here, private = conversations.keys_at(origin.person, origin.place)
    if here.shared and not (invocation.admin or origin.may(MANAGE_MESSAGES)):
        removed = [await conversations.reset(private)]
        told = _told(removed, f"{SHARED} {PRIVATE_ONE}") or SHARED
        return CommandReply(told, refused=RefusalCause.PERMISSION)
    removed = [await conversations.reset(key) for key in (here, private)]
    act = PrivilegedAct.RESET if here.shared and any(each.turns for each in removed) else None
    return CommandReply(_told(removed, FORGOTTEN) or NOTHING_HERE, act=act)


def _told(removed: Sequence[Removal], done: str) -> str:
    """`done`, and whether a file is still to be overwritten; empty if there was nothing to remove."""
    if not any(each.turns for each in removed):
        return ""
    return f"{done} {NOT_YET_ERASED}" if any(each.erased is False for each in removed) else done


COMMAND = HandledCommand(name="reset", description="Forget this conversation", own_data=True, handle=handle)
