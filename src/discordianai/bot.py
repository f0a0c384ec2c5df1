"""The listener and the answers: what runs between opening and closing."""

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count

import structlog
import trio

from discordianai.assistant import Assistant, Standing
from discordianai.conversations.store import Store, StoreError
from discordianai.discord import session_limit
from discordianai.discord.admissions import Admissions
from discordianai.discord.bridge import Stopping, TrioCaller
from discordianai.discord.figures import DiscordFigures
from discordianai.discord.front_door import keep_listening
from discordianai.discord.gate import Gate, Withdrawal
from discordianai.discord.handover import Protection, TrioSide
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import MessageError
from discordianai.discord.reply import ReplyOptions, open_reply
from discordianai.discord.rest import DiscordApi
from discordianai.discord.webhook import InteractionWebhook
from discordianai.model import Question
from discordianai.resuming import Resuming
from discordianai.settings import Settings

MOST_OPEN_QUESTIONS = 1000
"""Acknowledged and not yet answered, over all providers; further ones are refused."""

PROTECT_WITHIN = 0.5
"""Seconds that an acknowledgement waits for the question to be stored. Discord waits three."""

ALREADY_ENDED = "That answer has already ended."


@dataclass(slots=True)
class Counts:
    """Of questions. Those that are `unprotected` would be lost in a crash."""

    answered: int = 0
    unprotected: int = 0
    replayed: int = 0


class Bot:
    """Made by `app`; `serve` runs it."""

    def __init__(
        self,
        settings: Settings,
        assistant: Assistant,
        store: Store,
        discord: DiscordApi,
        figures: DiscordFigures,
    ) -> None:
        self._settings = settings
        self._assistant = assistant
        self._store = store
        self._discord = discord
        self._figures = figures
        self._log = structlog.get_logger("discordianai.bot")
        person = settings.rate_limits.user
        self._admissions = Admissions(
            MOST_OPEN_QUESTIONS, person.in_flight + person.waiting, trio.lowlevel.current_trio_token()
        )
        self._numbers = count(1)
        self._resuming = Resuming(store, discord)
        self.counts = Counts()

    @property
    def open_questions(self) -> int:
        """Questions that were taken and are not finished yet."""
        return self._admissions.open

    @property
    def stopping(self) -> bool:
        """Whether no more questions are taken."""
        return self._admissions.closed

    async def serve(self) -> None:
        """Listen and answer until told to stop, then let the answers in flight finish."""
        questions, receiver = trio.open_memory_channel[Question](MOST_OPEN_QUESTIONS)
        async with trio.open_nursery() as parts, questions, receiver:
            stop = trio.Event()
            parts.start_soon(self._watch_signals, stop, parts.cancel_scope)
            async with trio.open_nursery() as answers:
                await self._resume(answers)
                parts.start_soon(self._listen, questions, parts)
                answers.start_soon(self._answer_all, receiver, answers)
                await stop.wait()
                await self._drain(answers)
            parts.cancel_scope.cancel()

    async def _resume(self, answers: trio.Nursery) -> None:
        """Take up what a former process has left, before anything new comes."""
        for question, left in await self._resuming.take_up(answers, self._numbers):
            self._admissions.readmit(question.person.id)
            answers.start_soon(self._answer, question, self._assistant.line_up(question), left)

    async def _listen(self, questions: trio.MemorySendChannel[Question], parts: trio.Nursery) -> None:
        gate = Gate(self._settings, self._admissions, self._numbers)
        trio_token = trio.lowlevel.current_trio_token()

        def take_in(decision: Question | Withdrawal) -> None:
            if isinstance(decision, Withdrawal):
                if not self._assistant.stop(decision.interaction_id):
                    parts.start_soon(self._tell_too_late, decision)
                return
            try:
                questions.send_nowait(decision)  # there is room: it holds as many as may be open
            except trio.ClosedResourceError:
                self._log.warning("a question came after the end", question=decision.number)
                self._admissions.release(decision.person.id)

        caller = TrioCaller(parts)
        side = TrioSide(
            protect=partial(self._protect, caller),
            forget=partial(self._forget, caller),
            hand_over=lambda decision: trio_token.run_sync_soon(take_in, decision),
            release=self._admissions.release,
        )

        async def listen() -> None:
            # Imported here, on the listener's thread: the library takes 1.3 s, in which answers may go on.
            from discordianai.discord.listener import Listener

            await Listener(self._settings, gate, side, self._figures).run()

        await keep_listening(listen, partial(session_limit.ask_discord, self._discord))

    async def _protect(self, caller: TrioCaller, question: Question) -> Protection:
        """On asyncio: have the question stored, if that is soon done."""
        try:
            async with asyncio.timeout(PROTECT_WITHIN):
                accepted = await caller.call(self._store.accept, question)
        except (TimeoutError, StoreError, Stopping) as error:
            self.counts.unprotected += 1
            self._log.warning(
                "a question is not protected", question=question.number, reason=type(error).__name__
            )
            return Protection.NONE
        if accepted:
            return Protection.STORED
        self.counts.replayed += 1
        return Protection.REPLAYED

    async def _forget(self, caller: TrioCaller, question: Question) -> None:
        """On asyncio: Discord did not take the acknowledgement, so that there will be no answer."""
        with suppress(StoreError, Stopping):
            await caller.call(self._store.finish, question.address.interaction_id)

    async def _answer_all(self, receiver: trio.MemoryReceiveChannel[Question], answers: trio.Nursery) -> None:
        async for question in receiver:
            answers.start_soon(self._answer, question, self._assistant.line_up(question))

    async def _answer(self, question: Question, standing: Standing, left: tuple[int, ...] = ()) -> None:
        structlog.contextvars.bind_contextvars(question=question.number)  # in all that this task logs
        webhook = InteractionWebhook(self._discord, question.address)
        options = ReplyOptions(
            self._settings.discord.edit_interval,
            partial(self._note_part, question),
            left,
        )
        try:
            async with open_reply(webhook, question, options) as reply:
                await self._assistant.answer(question, standing, reply)
            self.counts.answered += 1
            await self._resuming.tell_late(question.person.id, webhook)
        finally:
            self._admissions.release(question.person.id)

    async def _note_part(self, question: Question, message_id: int, text: str) -> None:
        try:
            await self._store.note_part(question.address.interaction_id, message_id, text)
        except StoreError as error:
            self._log.debug("a part is not stored", question=question.number, reason=str(error))

    async def _tell_too_late(self, withdrawal: Withdrawal) -> None:
        webhook = InteractionWebhook(self._discord, withdrawal.address)
        with suppress(MessageError):  # a courtesy
            await webhook.create({"content": ALREADY_ENDED, "flags": EPHEMERAL})

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
