"""A backend on the trio side of the bridge, around doubles of all that a question needs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import trio

from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import OpenQuestions, QuestionCounter
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.answering.recovery import Recovery
from discordianai.conversations.guild_retention import GuildList
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.discord.commands.services import Services
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.interactions.backend import TrioBackend
from discordianai.discord.interactions.command_runner import CommandRunner
from discordianai.discord.messages.rest import DiscordApi
from discordianai.dispatch.options import UserRateOptions
from discordianai.option import Live
from discordianai.records import Question
from tests.answering.builders import Scene as Answering
from tests.doubles.delivery import FakePlace
from tests.doubles.store import MemoryStore


class Store(MemoryStore):
    """Waits, or fails, before it does anything."""

    illness: Exception | None = None
    waits = 0.0

    async def accept(self, question: Question) -> bool:
        await self._be_ill()
        return await super().accept(question)

    async def said(self, turn: TurnId) -> StoredQuestion | None:
        await self._be_ill()
        return await super().said(turn)

    async def _be_ill(self) -> None:
        await trio.sleep(self.waits)
        if self.illness is not None:
            raise self.illness


@dataclass
class Scene:
    store: Store
    place: FakePlace
    open_questions: OpenQuestions
    counts: QuestionCounter
    answering: Answering
    backend: TrioBackend
    running: trio.Nursery
    guilds: list[GuildList] = field(default_factory=list)

    def question(self, text: str = "why?") -> Question:
        """One that is admitted."""
        question = self.answering.question(text)
        self.open_questions.admit(question.person.id)
        return question


@asynccontextmanager
async def opened(
    on_guilds: Callable[[GuildList], object] | None = None,
    *,
    api: DiscordApi | None = None,
    services: Services | None = None,
    figures: DiscordCounter | None = None,
) -> AsyncIterator[Scene]:
    """A backend on this loop. Without `api` and `services` no command reaches anything."""
    answering, store, place, counts = Answering(), Store(), FakePlace(), QuestionCounter()
    journal = Journal(store, counts)
    open_questions = OpenQuestions(
        100, Live(UserRateOptions(in_flight=100)), trio.lowlevel.current_trio_token()
    )
    recovery = Recovery(journal, place)
    tasks = QuestionTasks(answering.answer_service, place, journal, recovery, open_questions, counts)
    guilds: list[GuildList] = []
    async with (
        httpx.AsyncClient(timeout=60) as client,
        trio.open_nursery() as running,
        trio.open_nursery() as answers,
    ):
        runner = CommandRunner(
            services,  # type: ignore[arg-type]  # a handler that uses none
            api or DiscordApi(client, "http://127.0.0.1:9"),
            figures or DiscordCounter(),
        )
        backend = TrioBackend(
            running, answers, tasks, journal, store, runner, on_guilds or guilds.append, list
        )
        yield Scene(store, place, open_questions, counts, answering, backend, running, guilds)
        answers.cancel_scope.cancel()
        running.cancel_scope.cancel()
