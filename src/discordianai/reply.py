"""The port through which an answer is shown: the assistant writes, the Discord room shows."""

from typing import Protocol

from discordianai.model import Citation


class ReplyFailed(Exception):
    """The answer could not be shown; the text says why, for the log."""


class Reply(Protocol):
    """Where an answer is written. The person sees each step as soon as the place allows."""

    def write(self, text: str) -> None:
        """Add `text` to what is shown; never waits."""

    async def finish(self, citations: tuple[Citation, ...] = (), note: str = "") -> None:
        """Show all that was written, with its sources and a closing note; return once it is shown.

        Raises `ReplyFailed` where the place took no more.
        """


class FakeReply:
    """Keeps what was written; `finished` is True once all of it counts as shown."""

    def __init__(self) -> None:
        self.text = ""
        self.citations: tuple[Citation, ...] = ()
        self.note = ""
        self.finished = False
        self.failure: ReplyFailed | None = None

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        self.text += text

    async def finish(self, citations: tuple[Citation, ...] = (), note: str = "") -> None:
        """See `Reply.finish`; raises `failure` if the test set one."""
        if self.failure is not None:
            raise self.failure
        self.citations, self.note, self.finished = citations, note, True
