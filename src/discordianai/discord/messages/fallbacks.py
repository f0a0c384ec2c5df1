"""What is shown if Discord permanently refuses a message: simpler forms of it, each tried once.

AutoMod, links that Discord calls harmful, and missing permissions refuse a message however often it is tried.
A simpler answer is better than none, and a sentence better than silence.
"""

import re
from collections.abc import Callable, Sequence

from discordianai.discord.messages.port import Body, File, MessageRefused, Messages, MessagesBusy

LINK_REMOVED = "(link removed)"
NOT_TAKEN = "-# Discord didn't accept this part of the answer. This server's rules may be the reason."

_MASKED = re.compile(r"\[([^\[\]\n]*)\]\(<?[^()\s<>]+>?(?: \"[^\"\n]*\")?\)")
_LINK = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.|discord\.gg/)[^\s<>]+")


def as_it_is(body: Body) -> Body:
    """The message as it was meant."""
    return body


def without_links(body: Body) -> Body:
    """The same with the text of its links alone."""
    text = _MASKED.sub(rf"\1 {LINK_REMOVED}", str(body.get("content", "")))
    return {**body, "content": _LINK.sub(LINK_REMOVED, text)[:2000]}


def without_components(body: Body) -> Body:
    """The same without links and buttons."""
    return {**without_links(body), "components": []}


def plain_words(body: Body) -> Body:
    """One sentence in its place."""
    return {**body, "content": NOT_TAKEN, "components": []}


FORMS: Sequence[Callable[[Body], Body]] = (as_it_is, without_links, without_components, plain_words)
"""From the original to the simplest."""


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
        """See `Messages.try_edit`. What is refused is tried in its next form the next time."""
        form = self._next.get(message_id, self._taken.get(message_id, 0))
        try:
            await self._messages.try_edit(message_id, FORMS[form](body))
        except MessageRefused as error:
            if form == len(FORMS) - 1:
                raise
            self._next[message_id] = form + 1
            raise MessagesBusy(str(error), 0.0) from error
        self._taken[message_id] = form

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """See `Messages.edit`. Where only the sentence was taken while it grew, all forms are tried again."""
        if files:
            await self._messages.edit(message_id, body, files)
            return
        first = self._taken.get(message_id, 0)
        for form in range(0 if FORMS[first] is plain_words else first, len(FORMS)):
            try:
                await self._messages.edit(message_id, FORMS[form](body))
            except MessageRefused:
                if form == len(FORMS) - 1:
                    raise
            else:
                self._taken[message_id] = form
                return

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        for number, form in enumerate(FORMS):
            try:
                message_id = await self._messages.create(form(body))
            except MessageRefused:
                if number == len(FORMS) - 1:
                    raise
            else:
                self._taken[message_id] = number
                return message_id
        raise AssertionError("the loop returns or raises")

    async def delete(self, message_id: int) -> None:
        """See `Messages.delete`."""
        await self._messages.delete(message_id)
