"""The listener and the answers: what runs between opening and closing."""

import gc
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import structlog
import trio
from structlog.contextvars import bind_contextvars

from discordianai.answering import Answering, Progress
from discordianai.assistant import Assistant, Standing
from discordianai.conversations.channel_book import ChannelBook
from discordianai.conversations.pending import Unfinished
from discordianai.conversations.store import Store
from discordianai.discord import session_limit
from discordianai.discord.admissions import Admissions
from discordianai.discord.atlas import Atlas
from discordianai.discord.bridge import TrioCaller
from discordianai.discord.channel import ChannelMessages
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.commands.runner import CommandRunner
from discordianai.discord.figures import DiscordFigures
from discordianai.discord.front_door import keep_listening
from discordianai.discord.handover import HandedOver, Servers, TrioSide
from discordianai.discord.intake import Intake
from discordianai.discord.messages import MessageError
from discordianai.discord.options import BotOptions
from discordianai.discord.outcomes import RefuseMessage, RunCommand
from discordianai.discord.rest import DiscordApi
from discordianai.discord.router import InteractionRouter
from discordianai.discord.webhook import InteractionWebhook
from discordianai.guard import Guard
from discordianai.live import Live
from discordianai.model import Question
from discordianai.operations.systemd import Notifier
from discordianai.protection import Protecting
from discordianai.questions import QuestionCounter
from discordianai.resuming import Resuming
from discordianai.servers import ServerBook

if TYPE_CHECKING:
    from discordianai.discord.listener import Listener

MOST_OTHER_WORK = 200
"""Commands and refusals that are under way at once; what comes beyond that is not done."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bot works with, made and opened by `app`."""

    assistant: Assistant
    answering: Answering
    store: Store
    resuming: Resuming
    offered: OfferedCommands
    runner: CommandRunner
    channels: ChannelBook
    servers: ServerBook
    discord: DiscordApi
    admissions: Admissions
    intake: Intake
    numbers: Iterator[int]
    counts: QuestionCounter
    figures: DiscordFigures
    notifier: Notifier


@cache
def _listener() -> "type[Listener]":
    """The listener's class, imported at the first call."""
    from discordianai.discord.listener import Listener

    # What the imports made lives as long as the bot. The collector would look at all of it again and again,
    # for 0.1 s each time, in which nobody is acknowledged. Only once: what the runs leave behind is no part
    # of that, and is to be collected.
    gc.freeze()
    return Listener


class Bot:
    """Takes what the listener hands over, and has it done."""

    def __init__(self, options: Live[BotOptions], parts: Parts) -> None:
        self._options = options
        self._parts = parts
        self._log = structlog.get_logger("discordianai.bot")
        self._admissions = parts.admissions
        self._numbers = parts.numbers
        self._atlas = Atlas()
        self._router = InteractionRouter(options, parts.offered, parts.intake, self._atlas)
        self._ready = trio.Event()
        self._standings: dict[int, Standing] = {}  # of questions that are about to be acknowledged
        self._other_work = 0

    async def serve(self) -> None:
        """Listen and answer until told to stop, then let the answers in flight finish."""
        async with trio.open_nursery() as running:
            stop = trio.Event()
            running.start_soon(self._watch_signals, stop, running.cancel_scope)
            running.start_soon(self._parts.channels.run)
            running.start_soon(self._parts.servers.run)
            async with trio.open_nursery() as answers:
                left = await self._parts.resuming.left()  # before there are questions of this process
                answers.start_soon(self._resume, left)
                running.start_soon(self._listen, answers, running)
                await stop.wait()
                await self._drain(answers)
            running.cancel_scope.cancel()

    async def _resume(self, left: Sequence[Unfinished]) -> None:
        """Take up what a former process has left, once the bot hears new questions: one that ends the process
        must not keep it from all others."""
        await self._ready.wait()
        with Guard(self._log, "a bug stopped what was left from being taken up"):
            await self._parts.resuming.take_up(
                left, self._numbers, self._answer_again, lambda: self._admissions.closed
            )

    async def _answer_again(self, question: Question, ids: tuple[int, ...]) -> None:
        self._admissions.readmit(question.person.id)
        standing = None if question.in_thread else self._parts.assistant.line_up(question)
        await self._answer(question, standing, ids)

    def _line_up(self, question: Question) -> None:
        """The order of the calls is the order of the answers. One for a thread of its own lines up there."""
        if not question.in_thread:
            self._standings[question.number] = self._parts.assistant.line_up(question)

    def _give_up(self, question: Question) -> None:
        """It was not acknowledged."""
        self._admissions.settle()
        self._drop(question)

    def _drop(self, question: Question) -> None:
        standing = self._standings.pop(question.number, None)
        with ExitStack() as cleanup:
            cleanup.callback(self._admissions.release, question.person.id)
            if standing is not None:
                standing.close()

    async def _listen(self, answers: trio.Nursery, running: trio.Nursery) -> None:
        caller = TrioCaller(running)
        protecting = Protecting(self._parts.store, caller, self._parts.counts)
        take = partial(self._take, answers, running)
        side = TrioSide(
            announce=partial(caller.post, self._line_up),
            protect=protecting.protect,
            forget=protecting.forget,
            withdraw=partial(caller.call, self._withdraw),
            recall=protecting.recall,
            hand_over=partial(caller.post, take),
            release=partial(caller.post, self._give_up),
        )

        starts, figures = session_limit.SessionStarts(), self._parts.figures

        async def listen() -> None:
            # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
            listener = _listener()(
                self._options.now, self._parts.offered, self._router, self._atlas, side, figures, starts
            )
            await listener.run()

        ask = partial(session_limit.ask_discord, self._parts.discord)
        await keep_listening(listen, ask, starts, figures)

    async def _withdraw(self, interaction_id: int) -> bool:
        return self._parts.assistant.stop(interaction_id)

    def _take(self, answers: trio.Nursery, running: trio.Nursery, thing: HandedOver) -> None:
        """Begin what the listener has handed over; who cannot be served is told."""
        guard = Guard(self._log, "a bug kept something from being begun", kind=type(thing).__name__)
        with guard:
            self._begin_with(answers, running, thing)
        if guard.failed and isinstance(thing, Question):
            with guard:
                self._drop(thing)
            with guard:
                running.start_soon(self._parts.answering.tell_of_bug, thing, Progress())

    def _begin_with(self, answers: trio.Nursery, running: trio.Nursery, thing: HandedOver) -> None:
        """Questions are bounded by the admissions, the rest here."""
        match thing:
            case Question():
                self._admissions.settle()
                self._begin(thing, answers)
            case Servers():
                self._ready.set()
                if self._parts.notifier.starting:
                    self._parts.notifier.ready()
                self._parts.servers.hear(thing)
            case _ if self._other_work >= MOST_OTHER_WORK:
                self._log.warning("too much at once: a command is not run", kind=type(thing).__name__)
            case _:
                self._other_work += 1
                running.start_soon(self._do_other_work, thing)

    def _begin(self, question: Question, answers: trio.Nursery) -> None:
        standing = self._standings.get(question.number)
        try:
            answers.start_soon(self._answer, question, standing, ())
        except RuntimeError:  # the nursery has ended: the bot is stopping
            self._log.warning("a question came after the end", question=question.number)
            self._drop(question)
        else:
            self._standings.pop(question.number, None)

    async def _answer(self, question: Question, standing: Standing | None, ids: tuple[int, ...]) -> None:
        bind_contextvars(question=question.number)  # in all that this task logs
        answering, progress = self._parts.answering, Progress()
        guard = Guard(self._log, "a bug stopped an answer", error=question.number)
        beside = Guard(self._log, "a bug beside an answer", error=question.number)
        with beside, ExitStack() as cleanup:
            cleanup.callback(self._admissions.release, question.person.id)
            if standing is not None:
                cleanup.callback(standing.close)
            try:
                with guard:
                    await self._admissions.give_way()
                    await answering.answer(question, standing, ids, progress)
            except BaseException:  # cancelled
                await answering.take_back_start(question)
                raise
            if guard.failed:
                await answering.tell_of_bug(question, progress)
            self._parts.counts.answered()
            if question.address.message_id is None:
                webhook = InteractionWebhook(self._parts.discord, question.address)
                await self._parts.resuming.tell_late(question.person.id, webhook)

    async def _do_other_work(self, thing: RunCommand | RefuseMessage) -> None:
        try:
            with Guard(self._log, "a bug stopped something", kind=type(thing).__name__):
                match thing:
                    case RunCommand():
                        await self._parts.runner.run(thing)
                    case RefuseMessage():
                        await self._refuse(thing)
        finally:
            self._other_work -= 1

    async def _refuse(self, refused: RefuseMessage) -> None:
        origin = refused.origin
        channel = ChannelMessages(
            self._parts.discord, origin.place.channel_id, reply_to=origin.interaction_id
        )
        with suppress(MessageError):  # a courtesy
            await channel.edit(None, {"content": refused.reason, "allowed_mentions": {"parse": []}})

    async def _drain(self, answers: trio.Nursery) -> None:
        """Admit nothing more; what is in flight has `drain_seconds`, then it is cancelled."""
        self._parts.notifier.stopping()
        self._admissions.close()
        seconds = self._options.now.drain_seconds
        self._log.info("stopping", answers_in_flight=self._admissions.open, seconds=seconds)
        with trio.move_on_after(seconds):
            await self._admissions.wait_idle()
        if self._admissions.open:
            self._log.warning("answers cut short by the shutdown", answers=self._admissions.open)
        answers.cancel_scope.cancel()

    async def _watch_signals(self, stop: trio.Event, everything: trio.CancelScope) -> None:
        """The first signal stops gently, the second at once."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self._log.info("signal received", signal=signal.Signals(number).name)
                if stop.is_set():
                    everything.cancel()
                stop.set()
