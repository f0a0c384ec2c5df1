"""What the listener, on its own thread, needs of the trio thread; and how it reaches it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import structlog
import trio

from discordianai.answering.journal import Journal, JournalResult
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.conversations.guild_retention import GuildList
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.conversations.store import ConversationStore, StoreError
from discordianai.discord.bridge import Stopping, TrioCaller
from discordianai.discord.interactions.command_runner import CommandRunner
from discordianai.discord.interactions.outcomes import RefuseMessage, RunCommand
from discordianai.discord.interactions.round_robin_queue import QueueBounds, RoundRobinQueue
from discordianai.discord.messages.delivery import VALID_FOR
from discordianai.guard import Guard
from discordianai.records import Question

JOURNAL_WITHIN = 0.5
"""Seconds that an acknowledgement waits for the store. Discord waits three."""

CANCEL_WITHIN = 1.0
"""Seconds that the acknowledgement of a Stop waits to learn what it did."""

COMMANDS = QueueBounds(running=40, running_each=2, waiting=200, waiting_each=20, seconds=VALID_FOR)
APOLOGIES = QueueBounds(running=10, running_each=2, waiting=1000, waiting_each=40, seconds=VALID_FOR)
REFUSALS = QueueBounds(running=40, running_each=1, waiting=50, waiting_each=1, seconds=60.0)
"""Classes of work, each with separate limits, so that none takes the place of another: commands, messages to
people whose command is not run, and refusals in channels. An exported file may have 8 MB.
"""


class Backend(Protocol):
    """Used on the listener's thread; what is awaited, on its asyncio loop.

    An admitted question goes to `enqueue`, then to `journal`, and in the end either to `hand_over` or to
    `give_up`.
    """

    def enqueue(self, question: Question) -> None:
        """Take the question's place: the order of these calls is the order of the answers."""

    async def journal(self, question: Question) -> JournalResult:
        """Store the question, if that does not take long. Raises nothing."""

    def hand_over(self, question: Question) -> None:
        """It is acknowledged: answer it."""

    def give_up(self, question: Question, *, forget: bool) -> None:
        """It will not be answered. With `forget` no later process answers it, either."""

    async def cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        """Cancel the answer to that person's interaction in that server; False where there is none that had
        not ended."""

    async def recall(self, turn: TurnId) -> StoredQuestion | None:
        """What was said in that turn. Raises `LookupError` if that is not known in time."""

    def run(self, command: RunCommand) -> None:
        """Run a command that is acknowledged."""

    def refuse(self, refused: RefuseMessage) -> None:
        """Tell somebody in their channel why their message is not answered."""

    def note_guilds(self, guilds: GuildList) -> None:
        """The bot is in these servers now. The first call says that the bot hears."""

    def note_started(self) -> None:
        """Each shard has tried to connect, and at least one has."""


class TrioBackend:
    """The backend across the bridge. Made on trio; answers run in `answers`, all else in `nursery`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        answers: trio.Nursery,
        tasks: QuestionTasks,
        journal: Journal,
        store: ConversationStore,
        runner: CommandRunner,
        on_guilds: Callable[[GuildList], object],
        on_started: Callable[[], object],
    ) -> None:
        self._trio = TrioCaller(nursery)
        self._nursery = nursery
        self._answers = answers
        self._tasks = tasks
        self._journal = journal
        self._store = store
        self._runner = runner
        self._on_guilds = on_guilds
        self._on_started = on_started
        self._commands = RoundRobinQueue(nursery, COMMANDS, runner.run, self._drop_command)
        self._apologies = RoundRobinQueue(nursery, APOLOGIES, runner.apologise, runner.leave_untold)
        self._refusals = RoundRobinQueue(nursery, REFUSALS, runner.refuse, runner.leave_unsaid)
        self._log = structlog.get_logger("discordianai.discord.interactions.backend")

    def enqueue(self, question: Question) -> None:
        """See `Backend.enqueue`."""
        self._trio.post(self._tasks.enqueue, question)

    async def journal(self, question: Question) -> JournalResult:
        """See `Backend.journal`."""
        try:
            async with asyncio.timeout(JOURNAL_WITHIN):
                return await self._trio.call(self._journal.accept, question)
        except Exception as error:  # a bug there must not keep the question from being answered
            if not isinstance(error, TimeoutError | StoreError | Stopping):
                self._log.exception("bug while storing a question", question=question.number)
            return self._journal.missed(question, error)

    def hand_over(self, question: Question) -> None:
        """See `Backend.hand_over`."""
        self._trio.post(self._tasks.begin, question, self._answers)

    def give_up(self, question: Question, *, forget: bool) -> None:
        """See `Backend.give_up`."""
        self._trio.post(self._tasks.give_up, question)
        if forget:
            self._trio.post(self._start, self._forget, question)

    async def cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        """See `Backend.cancel`. Also True where that is not told in time: it will be cancelled then."""
        try:
            async with asyncio.timeout(CANCEL_WITHIN):
                return await self._trio.call(self._cancel, interaction_id, person_id, guild_id)
        except (TimeoutError, Stopping):
            return True

    async def recall(self, turn: TurnId) -> StoredQuestion | None:
        """See `Backend.recall`."""
        try:
            async with asyncio.timeout(JOURNAL_WITHIN):
                return await self._trio.call(self._store.said, turn)
        except (TimeoutError, StoreError, Stopping) as error:
            raise LookupError(type(error).__name__) from error

    def run(self, command: RunCommand) -> None:
        """See `Backend.run`."""
        self._trio.post(self._commands.put, command.invocation.origin.person.id, command)

    def refuse(self, refused: RefuseMessage) -> None:
        """See `Backend.refuse`."""
        self._trio.post(self._refusals.put, refused.origin.person.id, refused)

    def note_guilds(self, guilds: GuildList) -> None:
        """See `Backend.note_guilds`."""
        self._trio.post(self._on_guilds, guilds)

    def note_started(self) -> None:
        """See `Backend.note_started`."""
        self._trio.post(self._on_started)

    async def finish_commands(self) -> None:
        """Return when each command that was acknowledged is answered. The caller bounds the wait."""
        await self._commands.wait_idle()
        await self._apologies.wait_idle()

    async def _cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        return self._tasks.cancel(interaction_id, person_id, guild_id)

    async def _forget(self, question: Question) -> None:
        with Guard(self._log, "bug while discarding a question", question=question.number):
            await self._journal.finish(question)

    def _start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        with suppress(RuntimeError):  # the nursery has ended: the bot is stopping
            self._nursery.start_soon(function, *arguments)

    def _drop_command(self, command: RunCommand) -> None:
        """The command was acknowledged, so the person sees the bot think and must be told."""
        self._runner.note_dropped(command)
        self._apologies.put(command.invocation.origin.person.id, command)
