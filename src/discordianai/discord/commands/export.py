"""`/export`: everything about a person, as a file."""

from datetime import UTC, datetime

from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.messages.port import File

MOST_EXPORTED = 8_000_000
"""Bytes. Discord takes ten million everywhere."""

NOTHING = "I have nothing stored about you."
NEWLINE = b"\n"
TOO_MUCH = "It didn't fit in one file, so the oldest messages are missing. The bot's operator has them."


async def handle(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """All that is stored, as JSON Lines."""
    lines, complete = await conversations.export(invocation.origin.person.id, MOST_EXPORTED)
    if not lines:
        return CommandReply(NOTHING)
    name = f"discordianai-{datetime.now(UTC).date().isoformat()}.jsonl"
    count = lines.count(NEWLINE)
    text = f"This is everything I have stored about you: {count:,} line{'s' * (count != 1)} of JSON."
    return CommandReply(text if complete else f"{text} {TOO_MUCH}", file=File(name, lines))


COMMAND = HandledCommand(
    name="export",
    description="Get everything I have stored about you, as a file",
    own_data=True,
    handle=handle,
)
