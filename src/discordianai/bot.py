"""The listener and the answers: what runs between opening and closing."""

import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count

import structlog
import trio

from discordianai.answering import Answering
from discordianai.assistant import Assistant, Standing
from discordianai.conversations.store import Store
from discordianai.discord import session_limit
from discordianai.discord.admissions import Admissions
from discordianai.discord.atlas import Atlas
from discordianai.discord.bridge import TrioCaller
from discordianai.discord.channel import ChannelMessages
from discordianai.discord.decisions import Declined, Request, Withdrawal
from discordianai.discord.desk import Desk
from discordianai.discord.front_door import keep_listening
from discordianai.discord.gate import Gate
from discordianai.discord.handover import HandedOver, Servers, TrioSide
from discordianai.discord.intake import Intake
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import MessageError, MessagesExpired
from discordianai.discord.rest import DiscordApi
from discordianai.discord.webhook import InteractionWebhook
from discordianai.model import Question
from discordianai.protection import Counts, Protecting
from discordianai.resuming import Resuming
from discordianai.servers import ServerBook
from discordianai.settings import Settings

MOST_OPEN_QUESTIONS = 1000
"""Acknowledged and not yet answered, over all providers; further ones are refused."""

MOST_OTHER_WORK = 200
"""Errands and small words that are under way at once; what comes beyond that is not done."""

ACKNOWLEDGED_WITHIN = 5.0
"""Seconds until an interaction is acknowledged, or never will be: Discord gives three."""

ALREADY_ENDED = "That answer has already ended."


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bot works with, made and opened by `app`."""

    assistant: Assistant
    answering: Answering
    store: Store
    resuming: Resuming
    desk: Desk
    servers: ServerBook
    discord: DiscordApi


class Bot:
    """Takes what the listener hands over, and has it done."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._log = structlog.get_logger("discordianai.bot")
        person = settings.rate_limits.user
        self._admissions = Admissions(
            MOST_OPEN_QUESTIONS, person.in_flight + person.waiting, trio.lowlevel.current_trio_token()
        )
        self._numbers = count(1)
        self._standings: dict[int, Standing] = {}  # of questions that are about to be acknowledged
        self._other_work = 0
        self.counts = Counts()

    async def serve(self) -> None:
        """Listen and answer until told to stop, then let the answers in flight finish."""
        async with trio.open_nursery() as running:
            stop = trio.Event()
            running.start_soon(self._watch_signals, stop, running.cancel_scope)
            running.start_soon(self._parts.servers.run)
            async with trio.open_nursery() as answers:
                await self._resume(answers)
                running.start_soon(self._listen, answers, running)
                await stop.wait()
                await self._drain(answers)
            running.cancel_scope.cancel()

    async def _resume(self, answers: trio.Nursery) -> None:
        """Take up what a former process has left, before anything new comes."""
        for question, ids in await self._parts.resuming.take_up(answers, self._numbers):
            self._admissions.readmit(question.person.id)
            self._line_up(question)
            self._begin(question, answers, ids)

    def _line_up(self, question: Question) -> None:
        """The order of the calls is the order of the answers. One for a thread of its own lines up there."""
        if not question.in_thread:
            self._standings[question.number] = self._parts.assistant.line_up(question)

    def _give_up(self, question: Question) -> None:
        """It will not be answered."""
        standing = self._standings.pop(question.number, None)
        if standing is not None:
            standing.leave()
        self._admissions.release(question.person.id)

    async def _listen(self, answers: trio.Nursery, running: trio.Nursery) -> None:
        atlas = Atlas()
        gate = Gate(self._settings, Intake(self._settings, self._admissions, self._numbers), atlas)
        protecting = Protecting(self._parts.store, TrioCaller(running), self.counts)
        token = trio.lowlevel.current_trio_token()
        take = partial(self._take, answers, running)
        side = TrioSide(
            announce=lambda question: token.run_sync_soon(self._line_up, question),
            protect=protecting.protect,
            forget=protecting.forget,
            recall=protecting.recall,
            hand_over=lambda thing: token.run_sync_soon(take, thing),
            release=lambda question: token.run_sync_soon(self._give_up, question),
        )

        async def listen() -> None:
            # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
            from discordianai.discord.listener import Listener

            await Listener(self._settings, gate, atlas, side).run()

        await keep_listening(listen, partial(session_limit.ask_discord, self._parts.discord))

    def _take(self, answers: trio.Nursery, running: trio.Nursery, thing: HandedOver) -> None:
        """Begin what the listener has handed over. Questions are bounded by the admissions, the rest here."""
        match thing:
            case Question():
                self._begin(thing, answers)
            case Servers():
                self._parts.servers.hear(thing)
            case Withdrawal() if self._parts.assistant.stop(thing.interaction_id):
                pass
            case _ if self._other_work >= MOST_OTHER_WORK:
                self._log.warning("too much at once: an errand is not done", kind=type(thing).__name__)
            case _:
                self._other_work += 1
                running.start_soon(self._do_other_work, thing)

    def _begin(self, question: Question, answers: trio.Nursery, ids: tuple[int, ...] = ()) -> None:
        standing = self._standings.get(question.number)
        try:
            answers.start_soon(self._answer, question, standing, ids)
        except RuntimeError:  # the nursery has ended: the bot is stopping
            self._log.warning("a question came after the end", question=question.number)
            self._give_up(question)
        else:
            self._standings.pop(question.number, None)

    async def _answer(self, question: Question, standing: Standing | None, ids: tuple[int, ...]) -> None:
        try:
            await self._parts.answering.answer(question, standing, ids)
            if question.address.message_id is None:
                webhook = InteractionWebhook(self._parts.discord, question.address)
                await self._parts.resuming.tell_late(question.person.id, webhook)
        finally:
            self._admissions.release(question.person.id)

    async def _do_other_work(self, thing: Request | Withdrawal | Declined) -> None:
        try:
            match thing:
                case Request():
                    webhook = InteractionWebhook(self._parts.discord, thing.address)
                    await self._parts.desk.serve(thing, webhook)
                case Withdrawal():
                    await self._tell_ended(InteractionWebhook(self._parts.discord, thing.address))
                case Declined():
                    await self._decline(thing)
        finally:
            self._other_work -= 1

    async def _tell_ended(self, webhook: InteractionWebhook) -> None:
        """A withdrawal is handed over before it is acknowledged, and until then Discord takes no word."""
        with suppress(MessageError), trio.move_on_after(ACKNOWLEDGED_WITHIN):
            while True:
                try:
                    await webhook.create({"content": ALREADY_ENDED, "flags": EPHEMERAL})
                except MessagesExpired:
                    await trio.sleep(0.25)
                else:
                    return

    async def _decline(self, declined: Declined) -> None:
        origin = declined.origin
        channel = ChannelMessages(
            self._parts.discord, origin.place.channel_id, reply_to=origin.interaction_id
        )
        with suppress(MessageError):  # a courtesy
            await channel.edit(None, {"content": declined.reason, "allowed_mentions": {"parse": []}})

    async def _drain(self, answers: trio.Nursery) -> None:
        """Admit nothing more; what is in flight has `drain_seconds`, then it is cancelled."""
        self._admissions.close()
        seconds = self._settings.discord.drain_seconds
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
