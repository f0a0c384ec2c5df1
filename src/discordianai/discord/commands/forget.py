"""`/forget`: everything about a person is deleted, once that is confirmed."""

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.commands.shared import NOT_YET_ERASED, messages
from discordianai.discord.messages.buttons import DANGER, Button

DELETE, KEEP = "forget", "keep"
"""The actions of the buttons."""

ARE_YOU_SURE = (
    "This deletes everything you said to me and everything I answered, in all channels, along with your open"
    " questions and your settings in our direct messages."
    " It can't be undone. The cost stays in the totals, without your name."
)
KEPT = "Nothing was deleted."


async def handle(invocation: Invocation, _services: object) -> CommandReply:
    """Ask for confirmation."""
    person_id = invocation.origin.person.id
    return CommandReply(
        ARE_YOU_SURE,
        (
            Button(DELETE, person_id, label="Delete everything", style=DANGER),
            Button(KEEP, person_id, label="Keep it"),
        ),
    )


async def _delete(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """Delete everything, and then say so; if a file still contains something, say that, too."""
    removed = await conversations.forget(invocation.origin.person.id)
    done = f"Everything has been deleted: {messages(removed.turns)}."
    return CommandReply(f"{done} {NOT_YET_ERASED}" if removed.erased is False else done)


async def _keep(_invocation: Invocation, _services: object) -> CommandReply:
    return CommandReply(KEPT)


COMMAND = HandledCommand(
    name="forget",
    description="Delete everything I have stored about you",
    own_data=True,
    handle=handle,
    components={DELETE: _delete, KEEP: _keep},
)
