"""Answers one question: waits for its turn, reads the conversation, asks, streams, stores, shows the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, closing, contextmanager
from dataclasses import dataclass, replace

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.answering.answer import (
    COMING_BACK,
    RESTARTING,
    TOO_LATE,
    AnswerSoFar,
    Reservations,
    numbered,
    with_usage,
)
from discordianai.answering.context import ContextBuilder, QuestionContext
from discordianai.answering.journal import Journal
from discordianai.answering.provider_chain import AnswerEvent, ChainRequest, ProviderChain
from discordianai.answering.reply import AnswerEnd, Reply, ReplyFailed
from discordianai.conversations.accounting import Charge
from discordianai.conversations.ledger import DailyLimitReached, Ledger
from discordianai.conversations.pending_questions import FinishedAnswer, TurnId
from discordianai.conversations.store import ClaimLost
from discordianai.dispatch.dispatcher import QueuePosition
from discordianai.dispatch.keyed_fifo_limiter import KeyedFifoLimiter, Ticket
from discordianai.dispatch.options import DispatchOptions, UserRateOptions
from discordianai.dispatch.refusals import BeyondDailyLimit
from discordianai.dispatch.routing import Inquiry
from discordianai.guard import Guard
from discordianai.option import Live
from discordianai.providers.errors import BadRequest, ProviderError
from discordianai.providers.port import LimitsReport, SearchQuery, SourceList, TextDelta
from discordianai.records import ChatRequest, FileKind, Provider, Question, Route, ToolCall, Usage

LAST_WORDS_TIMEOUT = 3.0
"""Seconds that an answer which is being cancelled may take to tell the person so."""

PATIENCE = 2.0
"""Seconds that a question waits for its turn before the person is told."""

END_WAITED_FOR = 10.0
"""Seconds that further answers wait while the end of one is shown. A crowded channel takes some seconds for
it; in an outage of Discord it is tried for a quarter of an hour."""

EARLIER_FIRST = "Waiting for earlier questions to finish."


@dataclass(frozen=True, slots=True)
class QuestionTicket:
    """What a question has from the moment it came: its places in two queues, and its end on trio's clock."""

    person: Ticket
    conversation: Ticket
    deadline: float

    def close(self) -> None:
        """Leave both queues; only the first call counts."""
        with ExitStack() as places:
            places.callback(self.person.leave)
            places.callback(self.conversation.leave)


class AnswerService:
    """Asks the providers; `journal` has the questions until they are answered.

    `note_limit` is told of each question that a daily limit does not cover.
    """

    def __init__(
        self,
        provider_chain: ProviderChain,
        contexts: ContextBuilder,
        journal: Journal,
        ledger: Ledger,
        dispatch: Live[DispatchOptions],
        user: Live[UserRateOptions],
        note_limit: Callable[[Question], object] | None = None,
    ) -> None:
        self._note_limit = note_limit
        self._provider_chain = provider_chain
        self._contexts = contexts
        self._journal = journal
        self._ledger = ledger
        self._dispatch = dispatch
        self._people = KeyedFifoLimiter(user.now.in_flight)
        user.follow(lambda options: self._people.reconfigure(options.in_flight))
        self._conversations = KeyedFifoLimiter()
        self._running: dict[int, tuple[Question, trio.CancelScope]] = {}

    def enqueue(self, question: Question) -> QuestionTicket:
        """Take this question's places in its queues, in the order of the calls; for `answer`."""
        return QuestionTicket(
            person=self._people.enqueue(question.person.id),
            conversation=self._conversations.enqueue(self._contexts.key(question)),
            deadline=trio.current_time() + self._dispatch.now.deadline_seconds,
        )

    def cancel(self, interaction_id: int, person_id: int, guild_id: int | None) -> bool:
        """Cancel the answer to that interaction; whether there was one that had not ended.

        It is one that this person asked for in that server: who may stop answers there may not elsewhere.
        """
        question, scope = self._running.get(interaction_id, (None, None))
        if question is None or scope is None:
            return False
        if (question.person.id, question.place.guild_id) != (person_id, guild_id):
            return False
        scope.cancel()
        return True

    async def answer(self, question: Question, ticket: QuestionTicket, reply: Reply, note: str = "") -> bool:
        """Answer `question` into `reply` when its turn has come; `note` is to be said below.

        False where another process has taken the question over, and answers it.

        Bugs propagate, and the caller tells the person. All other failures have been shown by then. A
        protected question that is cancelled stays pending, for the next process.
        """
        log = structlog.get_logger("discordianai.answering.service").bind(question=question.number)
        try:
            with closing(ticket):
                await self._converse(question, ticket, reply, note, log)
        except ReplyFailed as error:
            log.warning("answer could not be shown", reason=str(error))
            await self._journal.finish(question)
        except ClaimLost as error:  # it shows the answer there: two would write over each other
            log.warning("answer given up", reason=str(error))
            return False
        except Exception:
            raise
        except BaseException:  # cancelled, perhaps together with a bug
            words = COMING_BACK if question.protected else RESTARTING
            with trio.move_on_after(LAST_WORDS_TIMEOUT, shield=True):
                await _say_goodbye(reply, words, log)
            raise
        return True

    async def _converse(
        self, question: Question, ticket: QuestionTicket, reply: Reply, note: str, log: FilteringBoundLogger
    ) -> None:
        answer = AnswerSoFar()
        # What is reserved is held until it is charged, so that no other answer is counted on it meanwhile.
        async with Reservations(answer) as reserved:
            this = _Answering(question, ticket.deadline, reply, answer, reserved)
            try:
                context, closing = await self._stream(this, ticket)
            except _NotInTime:
                log.warning("question's deadline passed while it waited", error=question.number)
                context, closing = None, AnswerEnd(note=numbered(TOO_LATE, question))
            charges = self._charge_all(answer, context) if context else ()
            closing = replace(closing, note=" ".join(filter(None, (closing.note, note))))
            if context and context.rules.assistant.show_usage:
                closing = replace(closing, footer=with_usage(closing.footer, charges))
            if not answer.says_something:
                reply.cite(())
            shown = reply.close(closing)
            turn = await self._keep(question, answer, context, FinishedAnswer(shown, None, charges))
        await _finish(reply, turn, ticket)
        await self._journal.finish(question)
        log.info("answered", characters=len(answer.text), complete=answer.complete)

    async def _stream(
        self, this: "_Answering", ticket: QuestionTicket
    ) -> tuple[QuestionContext | None, AnswerEnd]:
        """Ask and show; the context, if it came to that, and what is to stand below. Raises `_NotInTime`."""
        question, answer = this.question, this.answer
        context: QuestionContext | None = None
        log = structlog.get_logger("discordianai.answering.service").bind(question=question.number)
        try:
            with self.cancellable(question) as scope:
                await _wait_for_turn(ticket, this.reply)
                context = await self._contexts.build(question)
                await self._ask_with_earlier_files(context, this)
        except ProviderError as error:
            log.warning("provider failed", error=question.number, reason=error.for_log)
            return context, answer.failed(question, error)
        except BaseException:  # nobody can see it any more, or the bot stops: what it took is charged
            if context is not None:
                await self._ledger.settle(question.address.interaction_id, self._charge_all(answer, context))
            raise
        return context, answer.cancelled() if scope.cancelled_caught else answer.ended(question)

    @contextmanager
    def cancellable(self, question: Question) -> Iterator[trio.CancelScope]:
        """Cancels what runs inside when the answer is cancelled; also what is done for it before `answer`."""
        interaction_id = question.address.interaction_id
        with trio.CancelScope() as scope:
            self._running[interaction_id] = question, scope
            try:
                yield scope
            finally:
                del self._running[interaction_id]

    async def _ask_with_earlier_files(self, context: QuestionContext, this: "_Answering") -> None:
        """Try again without files if the question is refused: a file can vanish before it expires."""
        try:
            await self._ask(context, this)
        except BadRequest:
            without = context.without_earlier_files()
            if this.answer.says_something or without == context:
                raise
            await self._ask(without, this)

    async def _ask(self, context: QuestionContext, this: "_Answering") -> None:
        question = context.question

        async def reserve(provider: Provider, request: ChatRequest, expected: Usage) -> None:
            who, where = question.person.id, question.place.guild_id
            most = context.most(provider, request, expected)
            held = self._ledger.reserve(who, where, provider.name, request.model, expected, most)
            try:
                await this.reserved.hold(held)
            except DailyLimitReached as error:
                if self._note_limit is not None:
                    self._note_limit(question)
                raise BeyondDailyLimit(provider, str(error), error.whose, error.most, error.left) from error

        wanted = question.provider or self._contexts.provider_of(context.wanted_model)
        inquiry = Inquiry(
            text=question.text,
            history=context.history,
            conversation=context.key,
            wanted=wanted,
            search=question.search,
            images=context.has(FileKind.IMAGE),
            files=context.has(FileKind.DOCUMENT),
        )
        asked = ChainRequest(inquiry, context.fitting_request, reserve, this.deadline, question.number)
        async with aclosing(self._provider_chain.events(asked)) as events:
            async for event in events:
                this.answer.add(event)
                _show(event, this.reply)

    async def _keep(
        self,
        question: Question,
        answer: AnswerSoFar,
        context: QuestionContext | None,
        finished: FinishedAnswer,
    ) -> TurnId | None:
        """Text that was shown is stored even if it is incomplete: the next question may be about it.

        Raises `ClaimLost`.
        """
        exchange = context.exchange(answer.text) if context and answer.says_something else None
        try:
            return await self._journal.answered(question, replace(finished, exchange=exchange))
        except ClaimLost:  # the other process charges what it takes itself
            await self._ledger.settle(question.address.interaction_id, finished.charges)
            raise

    def _charge_all(self, answer: AnswerSoFar, context: QuestionContext) -> tuple[Charge, ...]:
        """Charge what each provider that was asked took, by its own count or else by an estimate: once."""
        person_id, guild_id = context.question.person.id, context.question.place.guild_id
        charges = []
        for spending in answer.spent:
            route = spending.route
            text = answer.text if route is answer.route else ""
            usage = spending.usage or context.usage(route, text)
            charges.append(self._ledger.charge(person_id, guild_id, route.provider.name, route.model, usage))
        return tuple(charges)


@dataclass(frozen=True, slots=True)
class _Answering:
    """A question that is being answered: until when, where it is shown, what has come, what is reserved."""

    question: Question
    deadline: float
    reply: Reply
    answer: AnswerSoFar
    reserved: Reservations


class _NotInTime(Exception):
    """The question's deadline passed before its turn came."""


async def _wait_for_turn(ticket: QuestionTicket, reply: Reply) -> None:
    """Raises `_NotInTime`."""
    patience = min(trio.current_time() + PATIENCE, ticket.deadline)
    for place in (ticket.person, ticket.conversation):
        if await _admitted(place, patience):
            continue
        reply.say(EARLIER_FIRST)
        if not await _admitted(place, ticket.deadline):
            raise _NotInTime


async def _admitted(place: Ticket, until: float) -> bool:
    with trio.move_on_at(until):
        await place.admitted.wait()
        return True
    return False


async def _finish(reply: Reply, turn: TurnId | None, ticket: QuestionTicket) -> None:
    """Show the end; other answers of the person and in the conversation need not wait for long. Raises as
    `Reply.finish` does.
    """

    async def leave_in_time() -> None:
        await trio.sleep(END_WAITED_FOR)
        ticket.close()

    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_in_time)
        try:
            await reply.finish(turn)
        except Exception as error:  # raised below: the nursery would put it into a group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _say_goodbye(reply: Reply, note: str, log: FilteringBoundLogger) -> None:
    with Guard(log, "bug in the closing message"):
        try:
            reply.close(AnswerEnd(note=note))
            await reply.finish()
        except ReplyFailed as error:
            log.warning("closing message could not be sent", reason=str(error))


def _show(event: AnswerEvent, reply: Reply) -> None:
    match event:
        case TextDelta(text):  # by far the most
            reply.write(text)
        case Route():
            reply.cite(())  # what one has found is no source of another one's answer
            reply.think()
        case LimitsReport():  # comes with the headers: the waiting is over
            reply.think()
        case QueuePosition(number):
            reply.say(_waiting(number))
        case ToolCall(argument=query) | SearchQuery(query):
            reply.search(query)
        case SourceList(citations):
            reply.cite(citations)


def _waiting(place: int) -> str:
    return "You're next." if place == 1 else f"Waiting: number {place} in the queue."
