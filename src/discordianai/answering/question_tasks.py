"""The task of a question: what starts it, and what is released when it ends, however it ends."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import structlog
import trio
from structlog.contextvars import bind_contextvars

from discordianai.answering.answer import INTERNAL_ERROR, numbered
from discordianai.answering.delivery import Deliver, Delivery
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import OpenQuestions, QuestionCounter
from discordianai.answering.recovery import Recovery
from discordianai.answering.service import AnswerService, QuestionTicket
from discordianai.conversations.pending_questions import NOTHING_POSTED, PendingQuestion, Posted
from discordianai.guard import Guard
from discordianai.records import Question


class QuestionTasks:
    """On the trio thread.

    A question that was admitted comes to `enqueue`, and then either to `begin` or to `give_up`. The order in
    which questions are enqueued is the order of their answers: trio starts tasks in no particular one.
    """

    def __init__(
        self,
        answer_service: AnswerService,
        deliver: Deliver,
        journal: Journal,
        recovery: Recovery,
        open_questions: OpenQuestions,
        counts: QuestionCounter,
    ) -> None:
        self._answer_service = answer_service
        self._deliver = deliver
        self._journal = journal
        self._recovery = recovery
        self._open_questions = open_questions
        self._counts = counts
        self._tickets: dict[int, QuestionTicket] = {}  # of questions that are about to be acknowledged
        self._log = structlog.get_logger("discordianai.answering.question_tasks")

    def enqueue(self, question: Question) -> None:
        """Take a question's place in its queues. One that gets a thread of its own is enqueued there."""
        if not question.in_thread:
            self._tickets[question.number] = self._answer_service.enqueue(question)

    def give_up(self, question: Question) -> None:
        """It was not acknowledged."""
        self._open_questions.settle()
        self._drop(question)

    def begin(self, question: Question, nursery: trio.Nursery) -> None:
        """Answer a question that was acknowledged, in a task of `nursery`. Nothing is raised."""
        guard = Guard(self._log, "bug while starting a question", error=question.number)
        with guard:
            self._open_questions.settle()
            self._begin(question, nursery)
        if guard.failed:
            with guard:
                self._drop(question)
            with guard:
                nursery.start_soon(self._tell_of_bug, question, None)

    def cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        """See `AnswerService.cancel`."""
        return self._answer_service.cancel(interaction_id, person_id, guild_id)

    async def recover(self, left: Sequence[PendingQuestion], numbers: Iterator[int]) -> None:
        """Resume what earlier processes left; `numbers` count the questions of this one."""
        with Guard(self._log, "bug in recovery"):
            await self._recovery.take_up(
                left, numbers, self._answer_again, lambda: self._open_questions.closed
            )

    async def drain(self, seconds: float) -> None:
        """Admit nothing more, and wait up to so long for what is in flight. The caller cancels the rest."""
        self._open_questions.close()
        self._log.info("stopping", answers_in_flight=self._open_questions.open, seconds=seconds)
        with trio.move_on_after(seconds):
            await self._open_questions.wait_idle()
        if self._open_questions.open:
            self._log.warning("answers cut short by shutdown", answers=self._open_questions.open)

    def _begin(self, question: Question, nursery: trio.Nursery) -> None:
        ticket = self._tickets.get(question.number)
        try:
            nursery.start_soon(self._answer, question, ticket, NOTHING_POSTED)
        except RuntimeError:  # the nursery has ended: the bot is stopping
            self._log.warning("question arrived after shutdown", question=question.number)
            self._drop(question)
        else:
            self._tickets.pop(question.number, None)

    def _drop(self, question: Question) -> None:
        ticket = self._tickets.pop(question.number, None)
        with ExitStack() as cleanup:
            cleanup.callback(self._open_questions.release, question.person.id)
            if ticket is not None:
                ticket.close()

    async def _answer_again(self, question: Question, posted: Posted) -> None:
        self._open_questions.readmit(question.person.id)
        ticket = None if question.in_thread else self._answer_service.enqueue(question)
        await self._answer(question, ticket, posted)

    async def _answer(self, question: Question, ticket: QuestionTicket | None, posted: Posted) -> None:
        bind_contextvars(question=question.number)  # in all that this task logs
        guard = Guard(self._log, "bug in an answer", error=question.number)
        beside = Guard(self._log, "bug while ending a question", error=question.number)
        with beside, ExitStack() as cleanup:
            cleanup.callback(self._open_questions.release, question.person.id)
            if ticket is not None:
                cleanup.callback(ticket.close)
            delivery = None
            try:
                with guard:
                    delivery = self._deliver(question, posted)
                    await self._open_questions.give_way()
                    await delivery.answer(ticket)
            except BaseException:  # cancelled
                await self._journal.take_back_start(question)
                raise
            if guard.failed:
                await self._tell_of_bug(question, delivery)
            self._counts.answered()
            if delivery is not None:
                await self._recovery.tell_late(question.person.id, delivery)

    async def _tell_of_bug(self, question: Question, delivery: Delivery | None) -> None:
        with Guard(self._log, "bug in an error message", error=question.number):
            delivery = delivery or self._deliver(question, NOTHING_POSTED)
            await delivery.apologise(numbered(INTERNAL_ERROR, question))
        with Guard(self._log, "bug while closing a question", error=question.number):
            await self._journal.finish(question)
