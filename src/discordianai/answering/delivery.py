"""The port through which an answer reaches its person, wherever the question was asked."""

from collections.abc import Callable
from typing import Protocol

from discordianai.answering.service import QuestionTicket
from discordianai.conversations.pending_questions import Posted
from discordianai.records import Question


class Delivery(Protocol):
    """One question's way back to the person. Made by a `Deliver`; only one call runs at a time.

    Nothing raises but a bug: where a person cannot be told, that is logged.
    """

    async def answer(self, ticket: QuestionTicket | None) -> None:
        """Answer the question, from its files to its last message, and close `ticket`.

        None: the question takes its place in the queues once its thread is open.
        """

    async def is_open(self) -> bool:
        """Whether an answer can still be written where the question was asked; True if that is unknown."""

    async def show(self, text: str) -> None:
        """Show a complete answer where the question was asked."""

    async def say_late(self, words: str, text: str = "") -> bool:
        """Write to the person in the channel: `words`, then an answer that is whole, if there is one.

        False where nothing can be written there, or only the person was to read the answer.
        """

    async def follow_up(self, words: str, form_text: str = "") -> bool:
        """Add `words` to an answer, for the person alone; return whether that was possible.

        `form_text` is what they wrote into a form, and get back.
        """

    async def apologise(self, words: str) -> None:
        """End the answer with `words`, by separate requests; do nothing if it has already ended."""


Deliver = Callable[[Question, Posted], Delivery]
"""Makes the delivery of a question, part of whose answer may already be posted."""
