"""Runs the opened parts: the listener, the answers and the shutdown."""

import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog
import trio

from discordianai.answering.journal import Journal
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.conversations.guild_retention import GuildList, GuildRetention
from discordianai.conversations.store import ConversationStore
from discordianai.discord.gateway.supervisor import GatewaySupervisor
from discordianai.discord.interactions.backend import TrioBackend
from discordianai.discord.interactions.command_runner import CommandRunner
from discordianai.discord.options import BotOptions
from discordianai.operations.systemd import Notifier
from discordianai.option import Live

TAKE_OVER_EVERY = 2.0
"""Seconds between two looks for questions that no living process answers."""


class Bot:
    """Serves until it is told to stop. `numbers` count the questions of this process; what runs `beside` the
    answers is cancelled after them."""

    def __init__(
        self,
        options: Live[BotOptions],
        gateway: GatewaySupervisor,
        tasks: QuestionTasks,
        journal: Journal,
        store: ConversationStore,
        runner: CommandRunner,
        retention: GuildRetention,
        notifier: Notifier,
        numbers: Iterator[int],
        beside: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self._options = options
        self._gateway = gateway
        self._tasks = tasks
        self._journal = journal
        self._store = store
        self._runner = runner
        self._retention = retention
        self._notifier = notifier
        self._numbers = numbers
        self._beside = beside
        self._hears = trio.Event()
        self._log = structlog.get_logger("discordianai.bot")

    async def serve(self) -> None:
        """Listen and answer until told to stop; what is in flight then has `drain_seconds`."""
        async with trio.open_nursery() as running:
            stop = trio.Event()
            running.start_soon(self._watch_signals, stop, running.cancel_scope)
            for run in self._beside:
                running.start_soon(run)
            async with trio.open_nursery() as answers:
                answers.start_soon(self._recover, answers)
                backend = self._backend(running, answers)
                running.start_soon(self._gateway.run, backend)
                await stop.wait()
                self._notifier.stopping()
                end = trio.current_time() + self._options.now.drain_seconds
                await self._tasks.drain(self._options.now.drain_seconds)
                with trio.move_on_at(end):
                    await backend.finish_commands()
                answers.cancel_scope.cancel()
            running.cancel_scope.cancel()

    def _backend(self, running: trio.Nursery, answers: trio.Nursery) -> TrioBackend:
        return TrioBackend(
            running,
            answers,
            self._tasks,
            self._journal,
            self._store,
            self._runner,
            self._note_guilds,
            self._note_started,
        )

    def _note_guilds(self, guilds: GuildList) -> None:
        self._hears.set()
        self._retention.note(guilds)

    def _note_started(self) -> None:
        if self._notifier.starting:
            self._notifier.ready()

    async def _recover(self, answers: trio.Nursery) -> None:
        """Once the bot hears new questions: one that ends the process must not keep it from all others.

        With the first shard: the answers need no other, and people have waited long enough. Asked again and
        again, because the store tells only after a while that another process is dead.
        """
        await self._hears.wait()
        while True:
            if left := await self._journal.take_over():
                answers.start_soon(self._tasks.recover, left, self._numbers)
            await trio.sleep(TAKE_OVER_EVERY)

    async def _watch_signals(self, stop: trio.Event, everything: trio.CancelScope) -> None:
        """The first signal stops gently, the second at once."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self._log.info("signal received", signal=signal.Signals(number).name)
                if stop.is_set():
                    everything.cancel()
                stop.set()
