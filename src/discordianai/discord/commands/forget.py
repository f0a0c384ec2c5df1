"""`/forget`: everything about a person is deleted, once that is confirmed."""

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.commands.shared import messages
from discordianai.discord.messages.buttons import DANGER, Button

DELETE, KEEP = "forget", "keep"
"""The actions of the buttons."""

ARE_YOU_SURE = (
    "This deletes all that you said to me and that I answered, everywhere, your questions that are open, and"
    " what you set in our direct messages."
    " It cannot be undone. What they cost stays in the totals, without your name."
)
KEPT = "Nothing was deleted."


async def handle(invocation: Invocation, _services: object) -> CommandReply:
    """Ask whether that is really meant."""
    person_id = invocation.origin.person.id
    return CommandReply(
        ARE_YOU_SURE,
        (
            Button(DELETE, person_id, label="Delete everything", style=DANGER),
            Button(KEEP, person_id, label="Keep it"),
        ),
    )


async def _delete(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """Delete all of it, in every file, before this is said."""
    turns = await conversations.forget(invocation.origin.person.id)
    return CommandReply(f"Everything is deleted: {messages(turns)}.")


async def _keep(_invocation: Invocation, _services: object) -> CommandReply:
    return CommandReply(KEPT)


COMMAND = HandledCommand(
    name="forget",
    description="Delete everything that I have stored about you",
    own_data=True,
    handle=handle,
    components={DELETE: _delete, KEEP: _keep},
)
