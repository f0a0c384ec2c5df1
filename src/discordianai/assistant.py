"""Answers one question: history -> route -> ask -> stream -> remember."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.conversations import turnstile
from discordianai.conversations.store import ConversationKey, ConversationStore, StoreError
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.model import ChatRequest, Chunk, Citation, FinishReason, ProviderName, Question, Role, Turn
from discordianai.providers.errors import ProviderError
from discordianai.reply import Reply, ReplyFailed

LAST_WORDS_TIMEOUT = 3.0
"""Seconds that an answer which is being cancelled may take to tell the person so."""

RESTARTING = "I am being restarted and could not finish this. Please ask again in a minute."
INTERNAL_ERROR = "Something went wrong inside the bot."
EMPTY_ANSWER = "The model gave an empty answer. Asking in other words often helps."
CUT_SHORT = "The answer was cut short because it reached the length limit."


@dataclass(slots=True)
class _Answer:
    """What has come so far."""

    pieces: list[str] = field(default_factory=list)
    citations: tuple[Citation, ...] = ()
    finish_reason: FinishReason | None = None
    note: str = ""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, chunk: Chunk) -> None:
        if chunk.text:
            self.pieces.append(chunk.text)
        self.citations = chunk.citations or self.citations
        self.finish_reason = chunk.finish_reason or self.finish_reason


class Assistant:
    """Knows the providers that are set up, and remembers conversations in `store`."""

    def __init__(
        self,
        dispatchers: Mapping[ProviderName, Dispatcher],
        store: ConversationStore,
        *,
        instructions: str,
        max_turns: int,
        deadline_seconds: float = 300.0,
    ) -> None:
        self._dispatchers = dispatchers
        self._store = store
        self._instructions = instructions
        self._max_turns = max_turns
        self._deadline_seconds = deadline_seconds
        self._turnstile = turnstile.Turnstile()

    def line_up(self, question: Question) -> turnstile.Turn:
        """Take this question's place in its conversation, in the order of the calls; for `answer`."""
        return self._turnstile.line_up(ConversationKey.of(question.person, question.place))

    async def answer(self, question: Question, turn: turnstile.Turn, reply: Reply) -> None:
        """Answer `question` into `reply` when its turn has come.

        Whatever happens, the person is told; nothing leaves but cancellation.
        """
        log = structlog.get_logger("discordianai.assistant").bind(question=question.number)
        try:
            async with turn:
                await self._converse(question, reply, log)
        except trio.Cancelled:
            with trio.move_on_after(LAST_WORDS_TIMEOUT, shield=True):
                await _last_words(reply, RESTARTING, log)
            raise
        except ReplyFailed as error:
            log.warning("the answer could not be shown", reason=str(error))
        except Exception:
            # A question that meets a bug must not take the other people's answers with it.
            log.exception("a bug stopped this answer", error=question.number)
            await _last_words(reply, _numbered(INTERNAL_ERROR, question), log)

    async def _converse(self, question: Question, reply: Reply, log: FilteringBoundLogger) -> None:
        answer = _Answer()
        try:
            await self._ask(question, reply, answer, log)
        except ProviderError as error:
            log.warning("the provider failed", error=question.number, reason=error.for_log)
            note = _numbered(error.for_person, question)
        else:
            note = _closing_note(answer, question)
        if answer.text.strip():
            await self._remember(question, answer, log)
        await reply.finish(answer.citations, note)
        log.info("answered", characters=len(answer.text), complete=not note)

    async def _ask(
        self, question: Question, reply: Reply, answer: _Answer, log: FilteringBoundLogger
    ) -> None:
        key = ConversationKey.of(question.person, question.place)
        history = await self._store.recent(key, self._max_turns)
        first, *others = self._choose(question)
        deadline = trio.current_time() + self._deadline_seconds
        try:
            await self._stream(first, question, history, deadline, reply, answer, log)
        except ProviderError as error:
            if answer.text or not others or not _others_may_help(error):
                raise
            log.warning("asking the other provider", reason=error.for_log)
            await self._stream(others[0], question, history, deadline, reply, answer, log)
            answer.note = f"{first.name.label} could not answer, so {others[0].name.label} did."

    async def _stream(
        self,
        dispatcher: Dispatcher,
        question: Question,
        history: tuple[Turn, ...],
        deadline: float,
        reply: Reply,
        answer: _Answer,
        log: FilteringBoundLogger,
    ) -> None:
        request = ChatRequest(
            model=dispatcher.model,
            turns=(*history, Turn(Role.USER, question.text)),
            instructions=self._instructions,
            person=_pseudonym(question.person.id),
            number=question.number,
        )
        log.debug("asking", provider=dispatcher.name.value, turns=len(request.turns))
        async with dispatcher.stream(request, deadline) as chunks:
            async for chunk in chunks:
                answer.add(chunk)
                reply.write(chunk.text)

    def _choose(self, question: Question) -> list[Dispatcher]:
        """Only the provider asked for; else all that are set up, OpenAI first."""
        if question.provider is not None and question.provider in self._dispatchers:
            return [self._dispatchers[question.provider]]
        return list(self._dispatchers.values())

    async def _remember(self, question: Question, answer: _Answer, log: FilteringBoundLogger) -> None:
        """A part that was shown is kept too: the next question may be about it."""
        now = time.time()
        turns = (Turn(Role.USER, question.text, now), Turn(Role.ASSISTANT, answer.text, now))
        try:
            await self._store.append(ConversationKey.of(question.person, question.place), turns)
        except StoreError as error:
            log.error("this turn will not be remembered", reason=str(error))


async def _last_words(reply: Reply, note: str, log: FilteringBoundLogger) -> None:
    try:
        await reply.finish(note=note)
    except ReplyFailed as error:
        log.warning("the person could not be told", reason=str(error))


def _closing_note(answer: _Answer, question: Question) -> str:
    if not answer.text.strip():
        return _numbered(EMPTY_ANSWER, question)
    return CUT_SHORT if answer.finish_reason is FinishReason.LENGTH else answer.note


def _others_may_help(error: ProviderError) -> bool:
    """Whatever is wrong with one provider; but not a question that has used up its time."""
    return not isinstance(error, DeadlinePassed)


def _numbered(sentence: str, question: Question) -> str:
    """The number lets the operator find the log lines of what this person met."""
    return f"{sentence} (error {question.number})"


def _pseudonym(person_id: int) -> str:
    """Providers want to tell people apart, and need not know who they are on Discord."""
    return hashlib.sha256(f"discordianai:{person_id}".encode()).hexdigest()[:32]
