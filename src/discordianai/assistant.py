"""Answers one question: its turn -> history -> ask -> stream -> remember."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field

import structlog
import trio
from structlog.typing import FilteringBoundLogger

from discordianai.asking import Asked, Asking
from discordianai.conversations.store import ConversationKey, ConversationStore, StoreError
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.dispatch.routing import Inquiry
from discordianai.dispatch.turnstile import Spot, Turnstile
from discordianai.model import ChatRequest, Chunk, Citation, FinishReason, Question, Role, Route, Turn
from discordianai.providers.errors import ProviderError
from discordianai.reply import Closing, Reply, ReplyFailed

LAST_WORDS_TIMEOUT = 3.0
"""Seconds that an answer which is being cancelled may take to tell the person so."""

PATIENCE = 2.0
"""Seconds that a question waits for its turn without a word."""

RESTARTING = "I am being restarted and could not finish this. Please ask again in a minute."
INTERNAL_ERROR = "Something went wrong inside the bot."
EMPTY_ANSWER = "The model gave an empty answer. Asking in other words often helps."
CUT_SHORT = "The answer was cut short because it reached the length limit."
BROKEN_OFF = "The answer breaks off here."
STOPPED = "Stopped."
EARLIER_FIRST = "Waiting for the questions before this one."
TOO_LATE = f"{DeadlinePassed.sentence} {DeadlinePassed.advice}"


@dataclass(frozen=True, slots=True)
class AssistantOptions:
    """How questions are answered. `in_flight` of one person are worked on at once."""

    instructions: str
    max_turns: int = 50
    deadline_seconds: float = 300.0
    in_flight: int = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """What a question has from the moment it came: its places in two lines, and its end on trio's clock."""

    spots: tuple[Spot, Spot]
    deadline: float


@dataclass(slots=True)
class _Answer:
    """What has come so far."""

    pieces: list[str] = field(default_factory=list)
    citations: tuple[Citation, ...] = ()
    finish_reason: FinishReason | None = None
    route: Route | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, chunk: Chunk) -> None:
        if chunk.text:
            self.pieces.append(chunk.text)
        self.citations = chunk.citations or self.citations
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.route = chunk.route or self.route

    def closing(self, note: str, *, unfinished: bool) -> Closing:
        """What comes below it: where nothing was said, nobody has answered."""
        said = bool(self.text.strip())
        footer = _footer(self.route) if said and self.route else ""
        return Closing(self.citations, note, footer, unfinished and said)


class Assistant:
    """Asks the providers, and remembers conversations in `store`."""

    def __init__(self, asking: Asking, store: ConversationStore, options: AssistantOptions) -> None:
        self._asking = asking
        self._store = store
        self._options = options
        self._people = Turnstile(options.in_flight)
        self._conversations = Turnstile()
        self._running: dict[int, trio.CancelScope] = {}

    def line_up(self, question: Question) -> Standing:
        """Take this question's places, in the order of the calls; for `answer`."""
        return Standing(
            spots=(
                self._people.line_up(question.person.id),
                self._conversations.line_up(_key(question)),
            ),
            deadline=trio.current_time() + self._options.deadline_seconds,
        )

    def stop(self, interaction_id: int) -> bool:
        """Withdraw the question of that interaction, if it is here and not yet answered."""
        scope = self._running.get(interaction_id)
        if scope is not None:
            scope.cancel()
        return scope is not None

    async def answer(self, question: Question, standing: Standing, reply: Reply) -> None:
        """Answer `question` into `reply` when its turn has come.

        Whatever happens, the person is told; nothing leaves but cancellation.
        """
        log = structlog.get_logger("discordianai.assistant").bind(question=question.number)
        try:
            with ExitStack() as places:
                for spot in standing.spots:
                    places.enter_context(spot)
                await self._converse(question, standing, reply, log)
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

    async def _converse(
        self, question: Question, standing: Standing, reply: Reply, log: FilteringBoundLogger
    ) -> None:
        answer = _Answer()
        try:
            with self._stoppable(question) as scope:
                await self._wait_for_turn(standing, reply)
                await self._ask(question, standing.deadline, reply, answer)
            stopped = scope.cancelled_caught
            closing = answer.closing(STOPPED, unfinished=True) if stopped else _closing(answer, question)
        except _NotInTime:
            log.warning("the question's time was over before its turn came", error=question.number)
            closing = Closing(note=_numbered(TOO_LATE, question))
        except ProviderError as error:
            log.warning("the provider failed", error=question.number, reason=error.for_log)
            closing = _failed(answer, question, error)
        if answer.text.strip():
            await self._remember(question, answer, log)
        await reply.finish(closing)
        log.info("answered", characters=len(answer.text), complete=not closing.note)

    @contextmanager
    def _stoppable(self, question: Question) -> Iterator[trio.CancelScope]:
        """What runs inside ends when the question is withdrawn."""
        interaction_id = question.address.interaction_id
        with trio.CancelScope() as scope:
            self._running[interaction_id] = scope
            try:
                yield scope
            finally:
                del self._running[interaction_id]

    async def _wait_for_turn(self, standing: Standing, reply: Reply) -> None:
        """Raises `_NotInTime`."""
        patience = min(trio.current_time() + PATIENCE, standing.deadline)
        for spot in standing.spots:
            if await _let_in(spot, patience):
                continue
            reply.say(EARLIER_FIRST)
            if not await _let_in(spot, standing.deadline):
                raise _NotInTime

    async def _ask(self, question: Question, deadline: float, reply: Reply, answer: _Answer) -> None:
        key = _key(question)
        history = await self._store.recent(key, self._options.max_turns)

        def request(model: str) -> ChatRequest:
            return ChatRequest(
                model=model,
                turns=(*history, Turn(Role.USER, question.text)),
                instructions=self._options.instructions,
                person=_pseudonym(question.person.id),
                number=question.number,
            )

        inquiry = Inquiry(question.text, history, key, question.provider)
        asked = Asked(inquiry, request, deadline, question.number)
        async with aclosing(self._asking.chunks(asked)) as chunks:
            async for chunk in chunks:
                answer.add(chunk)
                if chunk.place_in_line is not None:
                    reply.say(_waiting(chunk.place_in_line))
                reply.write(chunk.text)

    async def _remember(self, question: Question, answer: _Answer, log: FilteringBoundLogger) -> None:
        """A part that was shown is kept too: the next question may be about it."""
        now = time.time()
        turns = (Turn(Role.USER, question.text, now), Turn(Role.ASSISTANT, answer.text, now))
        try:
            await self._store.append(_key(question), turns)
        except StoreError as error:
            log.error("this turn will not be remembered", reason=str(error))


class _NotInTime(Exception):
    """The question's time was over before its turn came."""


async def _let_in(spot: Spot, until: float) -> bool:
    with trio.move_on_at(until):
        await spot.let_in.wait()
        return True
    return False


async def _last_words(reply: Reply, note: str, log: FilteringBoundLogger) -> None:
    try:
        await reply.finish(Closing(note=note))
    except ReplyFailed as error:
        log.warning("the person could not be told", reason=str(error))


def _closing(answer: _Answer, question: Question) -> Closing:
    """Of an answer that came to its end."""
    if not answer.text.strip():
        return answer.closing(_numbered(EMPTY_ANSWER, question), unfinished=False)
    if answer.finish_reason is FinishReason.LENGTH:
        return answer.closing(CUT_SHORT, unfinished=True)
    return answer.closing(answer.route.note if answer.route else "", unfinished=False)


def _failed(answer: _Answer, question: Question, error: ProviderError) -> Closing:
    if answer.text.strip():
        return answer.closing(_numbered(f"{BROKEN_OFF} {error.what_happened}", question), unfinished=True)
    return Closing(note=_numbered(error.for_person, question))


def _key(question: Question) -> ConversationKey:
    return ConversationKey.of(question.person, question.place, private=question.address.private)


def _waiting(place: int) -> str:
    return "You are next." if place == 1 else f"Waiting: number {place} in the line."


def _footer(route: Route) -> str:
    return f"{route.provider.label} · {route.model} · {route.why}"


def _numbered(sentence: str, question: Question) -> str:
    """The number lets the operator find the log lines of what this person met."""
    return f"{sentence} (error {question.number})"


def _pseudonym(person_id: int) -> str:
    """Providers want to tell people apart, and need not know who they are on Discord."""
    return hashlib.sha256(f"discordianai:{person_id}".encode()).hexdigest()[:32]
