"""What is remembered of people: to see it, to take it along, to have it forgotten."""

from datetime import UTC, datetime

from discordianai.conversations.keys import ConversationKey
from discordianai.discord.buttons import Action, Button
from discordianai.discord.commands.services import CommandReply, Services
from discordianai.discord.interaction import MANAGE_MESSAGES
from discordianai.discord.messages import File
from discordianai.discord.outcomes import RunCommand
from discordianai.model import Role, Turn

PAGE = 6
"""Turns on a page."""

EXCERPT = 280
"""Characters of a turn: six of them fit into a message."""

MOST_EXPORTED = 8_000_000
"""Bytes. Discord takes ten million everywhere."""

NOTHING_HERE = "I remember nothing of this conversation."
FORGOTTEN = "This conversation is forgotten. The next question begins a new one."
SHARED = "Everybody in this channel shares the conversation: only people who may manage messages can end it."
FORGET_ASKED = (
    "This deletes all that you said to me and that I answered, everywhere, your questions that are open, and"
    " what you set in our direct messages."
    " It cannot be undone. What they cost stays in the totals, without your name."
)
KEPT = "Nothing was deleted."
TOO_MUCH = "It was too much for one file, so that the oldest part is missing. The bot's operator has it."

NEWLINE = b"\n"


async def reset(request: RunCommand, services: Services) -> CommandReply:
    """Forget the conversations that a question here would continue, the private one too."""
    keys = _keys(request, services)
    if keys[0].shared and not (request.admin or request.origin.may(MANAGE_MESSAGES)):
        return CommandReply(SHARED)
    turns = sum([await services.store.reset(key) for key in keys])
    return CommandReply(FORGOTTEN if turns else NOTHING_HERE)


def _keys(request: RunCommand, services: Services) -> tuple[ConversationKey, ConversationKey]:
    person, place = request.origin.person, request.origin.place
    return services.contexts.key_at(person, place), services.contexts.key_at(person, place, private=True)


async def history(request: RunCommand, services: Services) -> CommandReply:
    """A page of it, the newest first to be seen. Only the person reads it: private turns are in it, too."""
    person, most = request.origin.person, services.settings.conversations.max_turns
    both = [await services.store.recent(key, most) for key in _keys(request, services)]
    turns = sorted((turn for turns in both for turn in turns), key=lambda turn: turn.at)
    if not turns:
        return CommandReply(NOTHING_HERE)
    pages = [turns[max(end - PAGE, 0) : end] for end in range(len(turns), 0, -PAGE)]
    page = min(request.page or 0, len(pages) - 1)
    lines = [f"**What I remember here**, page {page + 1} of {len(pages)}", *map(_excerpt, pages[page])]
    return CommandReply("\n".join(lines), _turning(person.id, page, len(pages)))


def _turning(person_id: int, page: int, pages: int) -> tuple[Button, ...]:
    older = Button(Action.PAGE, person_id, str(page + 1), "Older")
    newer = Button(Action.PAGE, person_id, str(page - 1), "Newer")
    return (*([older] if page + 1 < pages else []), *([newer] if page else []))


def _excerpt(turn: Turn) -> str:
    """Quoted, on one line, and without anything that would run over into the next."""
    words = " ".join(turn.text.replace("`", "'").split())
    shown = words if len(words) <= EXCERPT else words[: EXCERPT - 1] + "…"
    who = "You" if turn.role is Role.USER else "I"
    return f"> **{who}**, <t:{int(turn.at)}:R>: {shown}"


async def forget(request: RunCommand, services: Services) -> CommandReply:  # noqa: ARG001  # an errand's signature
    """Ask whether that is really meant; a pressed Keep ends it."""
    if request.in_place:
        return CommandReply(KEPT)
    person_id = request.origin.person.id
    return CommandReply(FORGET_ASKED, (Button(Action.FORGET, person_id), Button(Action.KEEP, person_id)))


async def forget_for_sure(request: RunCommand, services: Services) -> CommandReply:
    """Delete all of it, in every file, before this is said."""
    turns = await services.store.forget(request.origin.person.id)
    await services.channels.open()  # what was set in direct messages is gone, too
    return CommandReply(f"Everything is deleted: {_counted(turns)}.")


async def export(request: RunCommand, services: Services) -> CommandReply:
    """All that was said, as JSON Lines."""
    person_id = request.origin.person.id
    lines, complete = await services.store.export(person_id, MOST_EXPORTED)
    if not lines:
        return CommandReply("I have stored nothing about you.")
    name = f"discordianai-{datetime.now(UTC).date().isoformat()}.jsonl"
    text = f"This is all that I remember of you: {_counted(lines.count(NEWLINE))}, one a line, as JSON."
    return CommandReply(text if complete else f"{text} {TOO_MUCH}", file=File(name, lines))


def _counted(turns: int) -> str:
    return f"{turns:,} message{'s' * (turns != 1)}"
