"""The port through which an answer is shown: the answer service writes, `discord.messages` shows."""

from dataclasses import dataclass
from typing import Protocol

from discordianai.conversations.pending_questions import TurnId
from discordianai.records import Citations


class ReplyFailed(Exception):
    """The answer could not be shown; the text says why, for the log."""


class ReplyBroken(Exception):
    """A bug stopped the answer from being shown, and is in the log."""


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """What is shown below an answer. `note` is for the person, `footer` says who answered.

    An `unfinished` answer can be continued. For one that was not `searched` for, a web search is offered.
    """

    note: str = ""
    footer: str = ""
    unfinished: bool = False
    searched: bool = False


class Reply(Protocol):
    """Where an answer is written. The person sees each step as soon as Discord allows."""

    def write(self, text: str) -> None:
        """Add `text` to what is shown; never waits. Raises `ReplyFailed` if nobody can see it any more."""

    def cite(self, citations: Citations) -> None:
        """These are the sources of what is written from now on, and of all of it in the end."""

    def say(self, status: str) -> None:
        """Show `status` until there is text; never waits. Raises `ReplyFailed`, as `write` does."""

    def search(self, query: str) -> None:
        """Show, until there is text, that the web is searched; a model wrote `query`. As `say`."""

    def think(self) -> None:
        """Show that the model is thinking, and since when, unless something else comes soon."""

    def close(self, closing: AnswerEnd) -> str:
        """Add what is shown below; return the whole answer as `finish` will show it. Nothing is written
        after.
        """

    async def finish(self, turn: TurnId | None = None) -> None:
        """Show all of it; return once it is shown, which takes minutes where Discord has an outage.

        Raises `ReplyFailed` where the place took no more. `turn` names what was asked, where that is
        remembered: it can be asked again then.
        """
