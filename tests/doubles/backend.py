"""A `Backend` that keeps what it is given."""

import asyncio
from collections.abc import Awaitable, Callable

from discordianai.answering.journal import JournalResult
from discordianai.conversations.guild_retention import GuildList
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.discord.interactions.outcomes import RefuseMessage, RunCommand
from discordianai.records import Question


async def _at_once() -> None:
    await asyncio.sleep(0)


class FakeBackend:
    """`calls` has the names in order. A test may say what the journal answers, and what it waits for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.handed_over: list[Question] = []
        self.commands: list[RunCommand] = []
        self.refused: list[RefuseMessage] = []
        self.running: set[int] = set()
        self.cancels = self.recalls = 0
        self.guilds: list[GuildList] = []
        self.started = 0
        self.said: StoredQuestion | LookupError | None = None
        self.journal_result = JournalResult.STORED
        self.journal_waits: Callable[[], Awaitable[object]] = _at_once

    def enqueue(self, question: Question) -> None:
        """See `Backend.enqueue`."""
        self.calls.append("enqueue")

    async def journal(self, question: Question) -> JournalResult:
        """See `Backend.journal`."""
        self.calls.append("journal")
        await self.journal_waits()
        return self.journal_result

    def hand_over(self, question: Question) -> None:
        """See `Backend.hand_over`."""
        self.calls.append("hand over")
        self.handed_over.append(question)

    def give_up(self, question: Question, *, forget: bool) -> None:
        """See `Backend.give_up`."""
        self.calls.append("give up, forget" if forget else "give up")

    async def cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        """See `Backend.cancel`."""
        self.cancels += 1
        return interaction_id in self.running

    async def recall(self, turn: TurnId) -> StoredQuestion | None:
        """See `Backend.recall`."""
        self.recalls += 1
        if isinstance(self.said, LookupError):
            raise self.said
        return self.said

    def run(self, command: RunCommand) -> None:
        """See `Backend.run`."""
        self.commands.append(command)

    def refuse(self, refused: RefuseMessage) -> None:
        """See `Backend.refuse`."""
        self.refused.append(refused)

    def note_guilds(self, guilds: GuildList) -> None:
        """See `Backend.note_guilds`."""
        self.guilds.append(guilds)

    def note_started(self) -> None:
        """See `Backend.note_started`."""
        self.started += 1
