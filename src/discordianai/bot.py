"""The listener and the answers: what runs between opening and closing."""

import gc
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING

import structlog
import trio
from structlog.contextvars import bind_contextvars

from discordianai.answering.delivery import Delivery, Progress
from discordianai.answering.journal import Journal
from discordianai.answering.question_counter import QuestionCounter
from discordianai.answering.recovery import Recovery
from discordianai.answering.service import AnswerService, QuestionTicket
from discordianai.conversations.channel_settings_cache import ChannelSettingsCache
from discordianai.conversations.guild_retention import GuildRetention
from discordianai.conversations.pending_questions import PendingQuestion
from discordianai.conversations.store import Store
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.commands.runner import CommandRunner
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway import session_limit
from discordianai.discord.gateway.bridge import TrioCaller
from discordianai.discord.gateway.guild_cache import GuildCache
from discordianai.discord.gateway.supervisor import keep_listening
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import Accepted, Backend, CurrentGuilds
from discordianai.discord.interactions.open_questions import OpenQuestions
from discordianai.discord.interactions.outcomes import RefuseMessage, RunCommand
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.channel import ChannelMessages
from discordianai.discord.messages.port import MessageError
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.messages.webhook import InteractionWebhook
from discordianai.guard import Guard
from discordianai.operations.systemd import Notifier
from discordianai.records import Question
from discordianai.settings import Settings

if TYPE_CHECKING:
    from discordianai.discord.gateway.listener import Listener

MOST_OTHER_WORK = 200
"""Commands and refusals that are under way at once; what comes beyond that is not done."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bot works with, made and opened by `app`."""

    answer_service: AnswerService
    delivery: Delivery
    store: Store
    recovery: Recovery
    offered: OfferedCommands
    runner: CommandRunner
    channels: ChannelSettingsCache
    servers: GuildRetention
    discord: DiscordApi
    open_questions: OpenQuestions
    counts: QuestionCounter
    figures: DiscordCounter
    notifier: Notifier


@cache
def _listener() -> "type[Listener]":
    """The listener's class, imported at the first call."""
    gc.disable()  # while everything is new there is nothing to collect: a sixth of the import's time
    try:
        from discordianai.discord.gateway.listener import Listener
    finally:
        gc.enable()
    # What the imports made lives as long as the bot. The collector would look at all of it again and again,
    # for 0.1 s each time, in which nobody is acknowledged. Only once: what the runs leave behind is no part
    # of that, and is to be collected.
    gc.freeze()
    return Listener


class Bot:
    """Takes what the listener hands over, and has it done."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._log = structlog.get_logger("discordianai.bot")
        self._open_questions = parts.open_questions
        self._numbers = count(1)
        self._guild_cache = GuildCache()
        self._router = InteractionRouter(
            settings,
            parts.offered,
            Admission(settings, self._open_questions, self._numbers),
            self._guild_cache,
        )
        self._ready = trio.Event()
        self._tickets: dict[int, QuestionTicket] = {}  # of questions that are about to be acknowledged
        self._other_work = 0

    def reconfigure(self, settings: Settings) -> None:
        """Let people in by these settings from now on."""
        self._open_questions.reconfigure(settings.rate_limits.user.most_open)
        self._router.reconfigure(settings)

    async def serve(self) -> None:
        """Listen and answer until told to stop, then let the answers in flight finish."""
        async with trio.open_nursery() as running:
            stop = trio.Event()
            running.start_soon(self._watch_signals, stop, running.cancel_scope)
            running.start_soon(self._parts.channels.run)
            running.start_soon(self._parts.servers.run)
            async with trio.open_nursery() as answers:
                left = await self._parts.recovery.left()  # before there are questions of this process
                answers.start_soon(self._resume, left)
                running.start_soon(self._listen, answers, running)
                await stop.wait()
                await self._drain(answers)
            running.cancel_scope.cancel()

    async def _resume(self, left: Sequence[PendingQuestion]) -> None:
        """Take up what a former process has left, once the bot hears new questions: one that ends the process
        must not keep it from all others."""
        await self._ready.wait()
        with Guard(self._log, "a bug stopped what was left from being taken up"):
            await self._parts.recovery.take_up(
                left, self._numbers, self._answer_again, lambda: self._open_questions.closed
            )

    async def _answer_again(self, question: Question, ids: tuple[int, ...]) -> None:
        self._open_questions.readmit(question.person.id)
        ticket = None if question.in_thread else self._parts.answer_service.enqueue(question)
        await self._answer(question, ticket, ids)

    def _line_up(self, question: Question) -> None:
        """The order of the calls is the order of the answers. One for a thread of its own lines up there."""
        if not question.in_thread:
            self._tickets[question.number] = self._parts.answer_service.enqueue(question)

    def _give_up(self, question: Question) -> None:
        """It was not acknowledged."""
        self._open_questions.settle()
        self._drop(question)

    def _drop(self, question: Question) -> None:
        ticket = self._tickets.pop(question.number, None)
        with ExitStack() as cleanup:
            cleanup.callback(self._open_questions.release, question.person.id)
            if ticket is not None:
                ticket.close()

    async def _listen(self, answers: trio.Nursery, running: trio.Nursery) -> None:
        caller = TrioCaller(running)
        journal = Journal(self._parts.store, caller, self._parts.counts)
        take = partial(self._take, answers, running)
        side = Backend(
            announce=partial(caller.post, self._line_up),
            protect=journal.protect,
            forget=journal.forget,
            cancel_answer=partial(caller.call, self._cancel_answer),
            recall=journal.recall,
            hand_over=partial(caller.post, take),
            release=partial(caller.post, self._give_up),
        )

        starts, parts = session_limit.SessionStarts(), self._parts

        async def listen() -> None:
            # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
            listener = _listener()(
                self._settings,
                parts.offered,
                self._router,
                self._guild_cache,
                side,
                parts.figures,
                starts,
                parts.discord.limits,
            )
            await listener.run()

        ask = partial(session_limit.ask_discord, parts.discord)
        await keep_listening(listen, ask, starts, parts.figures)

    async def _cancel_answer(self, interaction_id: int) -> bool:
        return self._parts.answer_service.stop(interaction_id)

    def _take(self, answers: trio.Nursery, running: trio.Nursery, thing: Accepted) -> None:
        """Begin what the listener has handed over; who cannot be served is told."""
        guard = Guard(self._log, "a bug kept something from being begun", kind=type(thing).__name__)
        with guard:
            self._begin_with(answers, running, thing)
        if guard.failed and isinstance(thing, Question):
            with guard:
                self._drop(thing)
            with guard:
                running.start_soon(self._parts.delivery.tell_of_bug, thing, Progress())

    def _begin_with(self, answers: trio.Nursery, running: trio.Nursery, thing: Accepted) -> None:
        """Questions are bounded by the admissions, the rest here."""
        match thing:
            case Question():
                self._open_questions.settle()
                self._begin(thing, answers)
            case CurrentGuilds():
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
        ticket = self._tickets.get(question.number)
        try:
            answers.start_soon(self._answer, question, ticket, ())
        except RuntimeError:  # the nursery has ended: the bot is stopping
            self._log.warning("a question came after the end", question=question.number)
            self._drop(question)
        else:
            self._tickets.pop(question.number, None)

    async def _answer(self, question: Question, ticket: QuestionTicket | None, ids: tuple[int, ...]) -> None:
        bind_contextvars(question=question.number)  # in all that this task logs
        delivery, progress = self._parts.delivery, Progress()
        guard = Guard(self._log, "a bug stopped an answer", error=question.number)
        beside = Guard(self._log, "a bug beside an answer", error=question.number)
        with beside, ExitStack() as cleanup:
            cleanup.callback(self._open_questions.release, question.person.id)
            if ticket is not None:
                cleanup.callback(ticket.close)
            try:
                with guard:
                    await self._open_questions.give_way()
                    await delivery.answer(question, ticket, ids, progress)
            except BaseException:  # cancelled
                await delivery.take_back_start(question)
                raise
            if guard.failed:
                await delivery.tell_of_bug(question, progress)
            self._parts.counts.answered()
            if question.address.message_id is None:
                webhook = InteractionWebhook(self._parts.discord, question.address)
                await self._parts.recovery.tell_late(question.person.id, webhook)

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
        self._open_questions.close()
        seconds = self._settings.discord.drain_seconds
        self._log.info("stopping", answers_in_flight=self._open_questions.open, seconds=seconds)
        with trio.move_on_after(seconds):
            await self._open_questions.wait_idle()
        if self._open_questions.open:
            self._log.warning("answers cut short by the shutdown", answers=self._open_questions.open)
        answers.cancel_scope.cancel()

    async def _watch_signals(self, stop: trio.Event, everything: trio.CancelScope) -> None:
        """The first signal stops gently, the second at once."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self._log.info("signal received", signal=signal.Signals(number).name)
                if stop.is_set():
                    everything.cancel()
                stop.set()
