"""The port through which an answer reaches its person. What it needs of the place is its own affair."""

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
        """Whether the place where the question was asked takes an answer still; True where nobody knows."""

    async def show(self, text: str) -> None:
        """Show an answer that is whole, where the question was asked."""

    async def say_late(self, words: str, text: str = "") -> bool:
        """Write to the person in the channel: `words`, then an answer that is whole, if there is one.

        False where nothing can be written there, or only the person was to read the answer.
        """

    async def follow_up(self, words: str) -> bool:
        """Add `words` to an answer, for the person alone; whether that can be done, and was."""

    async def apologise(self, words: str) -> None:
        """End the answer with `words`, by means of their own; do nothing where it has ended already."""


Deliver = Callable[[Question, Posted], Delivery]
"""Makes the delivery of a question, of whose answer that much has been posted."""
