"""What is shown if Discord permanently refuses a message: simpler forms of it, each tried once.

AutoMod, links that Discord calls harmful, and missing permissions refuse a message however often it is tried.
A simpler answer is better than none, and a sentence better than silence.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from discordianai.discord.messages.port import Body, File, MessageRefused, Messages, MessagesBusy
from discordianai.discord.messages.posting import HEADING
from discordianai.discord.rendering.characters import units
from discordianai.discord.rendering.splitting import MESSAGE_LIMIT

Result = TypeVar("Result")

LINK_REMOVED = "(link removed)"
SHORTLY_REMOVED = "…"
"""No longer than any link: for a message that is full."""

NOT_TAKEN = "-# Discord didn't accept this part of the answer. This server's rules may be the reason."

WITHOUT_BUTTONS: Body = {"components": [], "allowed_mentions": {"parse": []}}
"""Leaves the rest of a message as it is."""

_ADDRESS = r"<?(?:[^()\s<>]++|\([^()\s<>]*+\))++>?"
_MASKED = re.compile(rf"\[((?:[^\[\]\n]++|\[[^\[\]\n]*+\])*+)\]\({_ADDRESS}(?: \"[^\"\n]*+\")?\)")
_LINK = re.compile(r"(?i)(?:[a-z][a-z0-9+.-]{1,15}://|\bwww\.|discord\.gg/)[^\s<>]+")


def as_it_is(body: Body) -> Body:
    """The message as it was meant."""
    return body


def without_links(body: Body) -> Body:
    """The same with the text of its links alone. Nothing else is lost, however many there are."""
    text = str(body.get("content", ""))
    shown = _replaced(text, LINK_REMOVED)
    return {**body, "content": shown if units(shown) <= MESSAGE_LIMIT else _replaced(text, SHORTLY_REMOVED)}


def _replaced(text: str, mark: str) -> str:
    return _LINK.sub(mark, _MASKED.sub(rf"\1 {mark}", text))


def without_components(body: Body) -> Body:
    """The same without links and buttons."""
    return {**without_links(body), "components": []}


def plain_words(body: Body) -> Body:
    """One sentence in its place, below the line that says for whom it is."""
    heading = HEADING.match(str(body.get("content", "")))
    return {**body, "content": f"{heading[0] if heading else ''}{NOT_TAKEN}", "components": []}


FORMS: Sequence[Callable[[Body], Body]] = (as_it_is, without_links, without_components, plain_words)
"""From the original to the simplest."""


def _from(first: int, body: Body) -> Iterator[tuple[int, Body]]:
    """The forms of a message from that one on, each with its number; one that changes nothing is left out."""
    previous: Body | None = None
    for number in range(first, len(FORMS)):
        form = FORMS[number](body)
        if form != previous:
            yield number, form
        previous = form


async def _first_taken(
    forms: Iterator[tuple[int, Body]], send: Callable[[Body], Awaitable[Result]]
) -> tuple[int, Result]:
    """The number of the first form that is taken, and what sending it returns. Raises `MessageRefused`."""
    refused = None
    for number, form in forms:
        try:
            return number, await send(form)
        except MessageRefused as error:
            refused = error
    assert refused is not None  # noqa: S101  # for mypy: there is one form at least
    raise refused


class FallbackMessages:
    """Wraps `Messages`, and tries simpler forms of what they refuse.

    Files are not left out here: whoever sends one has another way to show the text that is in it. Raises
    `MessageRefused` if no form was accepted.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._taken: dict[int | None, int] = {}  # the form in which each message was taken last
        self._next: dict[int | None, int] = {}  # the form in which it is tried next, while an answer grows

    @property
    def free_at(self) -> float:
        """See `Messages.free_at`."""
        return self._messages.free_at

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.try_edit`. What is refused is tried in its next form the next time; the sentence that
        stands there already is not sent again.
        """
        forms = _from(self._next.get(message_id, self._taken.get(message_id, 0)), body)
        number, form = next(forms)
        if FORMS[number] is plain_words and self._taken.get(message_id) == number:
            return
        try:
            await self._messages.try_edit(message_id, form)
        except MessageRefused as error:
            further = next(forms, None)
            if further is None:
                raise
            self._next[message_id] = further[0]
            raise MessagesBusy(str(error), 0.0) from error
        self._taken[message_id] = number

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """See `Messages.edit`. Where only the sentence was taken while it grew, all forms are tried again."""
        if files:
            await self._messages.edit(message_id, body, files)
            return
        first = self._taken.get(message_id, 0)
        forms = _from(0 if FORMS[first] is plain_words else first, body)
        self._taken[message_id], _ = await _first_taken(forms, partial(self._messages.edit, message_id))

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        number, message_id = await _first_taken(_from(0, body), self._messages.create)
        self._taken[message_id] = number
        return message_id

    async def take_buttons_away(self, message_id: int | None) -> None:
        """Leave a message as it is, without its buttons. Raises `MessageError`."""
        await self._messages.edit(message_id, WITHOUT_BUTTONS)

    async def delete(self, message_id: int) -> None:
        """See `Messages.delete`."""
        await self._messages.delete(message_id)
