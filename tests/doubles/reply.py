"""A reply that nobody sees."""

from discordianai.answering.reply import AnswerEnd, ReplyFailed
from discordianai.conversations.pending_questions import TurnId
from discordianai.records import Citations


class FakeReply:
    """Keeps what was written; `finished` once all of it counts as shown.

    A test may set `failure`, which `finish` raises, or `gone`, which `write` and `say` raise, too.
    """

    def __init__(self) -> None:
        self.text = ""
        self.citations: Citations = ()
        self.statuses: list[str] = []
        self.queries: list[str] = []
        self.thoughts = 0
        self.closing: AnswerEnd | None = None
        self.finished = False
        self.turn: TurnId | None = None
        self.failure: ReplyFailed | None = None
        self.gone: ReplyFailed | None = None

    @property
    def note(self) -> str:
        """The closing note, once there is one."""
        return self.closing.note if self.closing else ""

    def write(self, text: str) -> None:
        """See `Reply.write`."""
        self._check()
        self.text += text

    def cite(self, citations: Citations) -> None:
        """See `Reply.cite`."""
        self.citations = citations

    def say(self, status: str) -> None:
        """See `Reply.say`."""
        self._check()
        self.statuses.append(status)

    def search(self, query: str) -> None:
        """See `Reply.search`."""
        self._check()
        self.queries.append(query)

    def think(self) -> None:
        """See `Reply.think`."""
        self._check()
        self.thoughts += 1

    def close(self, closing: AnswerEnd) -> str:
        """See `Reply.close`."""
        self.closing = closing
        return "\n\n".join(filter(None, (self.text, closing.note)))

    async def finish(self, turn: TurnId | None = None) -> None:
        """See `Reply.finish`."""
        self._check()
        if self.failure is not None:
            raise self.failure
        self.turn, self.finished = turn, True

    def _check(self) -> None:
        if self.gone is not None:
            raise self.gone
