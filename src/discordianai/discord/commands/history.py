"""`/history`: what is remembered of the conversation here, page by page."""

from dataclasses import dataclass

from discordianai.conversations.conversation_key import ConversationKey
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.services import Conversations
from discordianai.discord.commands.shared import NOTHING_HERE
from discordianai.discord.messages import buttons
from discordianai.discord.messages.buttons import Button
from discordianai.discord.rendering.characters import fitting, last_boundary, units
from discordianai.records import Role, Turn

PAGE = "page"
"""The action of the buttons that turn the pages; their subject is the page that they lead to."""

TURNS = 6
"""On a page."""

EXCERPT = 230
"""UTF-16 units of a turn: six of them fit into a message, with the longest names."""


async def handle(invocation: Invocation, conversations: Conversations) -> CommandReply:
    """A page of it, the newest first. Only the person reads it: it includes private turns."""
    person, place = invocation.origin.person, invocation.origin.place
    keys = conversations.keys_at(person, place)
    both = [[_named(turn, key) for turn in await conversations.recent(key)] for key in keys]
    turns = sorted((turn for turns in both for turn in turns), key=lambda turn: turn.at)
    if not turns:
        return CommandReply(NOTHING_HERE)
    pages = [turns[max(end - TURNS, 0) : end] for end in range(len(turns), 0, -TURNS)]
    wanted = buttons.number(invocation.button) if invocation.button else None
    page = min(wanted or 0, len(pages) - 1)
    lines = [f"**What I remember here**, page {page + 1} of {len(pages)}", *map(_excerpt, pages[page])]
    return CommandReply("\n".join(lines), _turning(person.id, page, len(pages)))


def _turning(person_id: int, page: int, pages: int) -> tuple[Button, ...]:
    older = Button(PAGE, person_id, str(page + 1), "Older")
    newer = Button(PAGE, person_id, str(page - 1), "Newer")
    return (*([older] if page + 1 < pages else []), *([newer] if page else []))


@dataclass(frozen=True, slots=True)
class _Named:
    """What `who` said."""

    who: str
    text: str
    at: float


def _named(turn: Turn, key: ConversationKey) -> _Named:
    """In a shared conversation, people appear under the names that they had."""
    if turn.role is not Role.USER:
        return _Named("I", turn.text, turn.at)
    said = key.read(turn.text)
    return _Named(said.name.replace("*", "") or "You", said.text, turn.at)


def _excerpt(turn: _Named) -> str:
    """Quoted on one line, without anything that would affect the next one."""
    words = " ".join(turn.text.replace("`", "'").split())
    if units(words) > EXCERPT:
        words = words[: last_boundary(words, fitting(words, EXCERPT - 1))] + "…"
    return f"> **{turn.who}**, <t:{int(turn.at)}:R>: {words}"


COMMAND = HandledCommand(
    name="history",
    description="What I remember of this conversation",
    handle=handle,
    components={PAGE: handle},
)
