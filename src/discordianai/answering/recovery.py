"""Resumes the questions that an earlier process accepted and did not finish.

While the place of a question is open, it is answered there. After that the answer, or a word that there is
none, goes to the channel; and where the bot cannot write there, or only the person was to see it, that word
comes with the person's next answer.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace

import structlog
import trio
from structlog.contextvars import bind_contextvars

from discordianai.answering.answer import INTERNAL_ERROR, numbered
from discordianai.answering.delivery import Deliver, Delivery
from discordianai.answering.journal import Journal
from discordianai.conversations.pending_questions import PendingQuestion, Posted
from discordianai.guard import Guard
from discordianai.records import Question
from discordianai.system_clock import IMPOSSIBLE_AGE, since_boot

AT_ONCE = 10
"""Questions of an earlier process that are answered at a time, beside new ones."""

MOST_STARTS = 2
"""Processes that may start a question: one that has ended two would end a third."""

LATEST = 7 * 86_400.0
"""Seconds after which nobody waits for an answer any more."""

MISSED = "I was restarted before I could finish answering your question. Please ask it again."
MISSED_EARLIER = (
    "I was restarted {ago} ago before I could finish answering one of your questions. Please ask it again."
)
STOPPED_TWICE = (
    "Something stopped me twice while I was answering this question, so I won't try again."
    " Please rephrase it."
)
LATE = "I was restarted while answering you. Here is the answer:"

AnswerAgain = Callable[[Question, Posted], Awaitable[None]]
"""Asks the providers, and edits what has already been posted."""


class Recovery:
    """The policy: which questions are asked again, who gets a stored answer, who is still to be told."""

    def __init__(self, journal: Journal, deliver: Deliver) -> None:
        self._journal = journal
        self._deliver = deliver
        self._owed: dict[int, list[tuple[float, Question]]] = {}  # each with `_asked_at`
        self._log = structlog.get_logger("discordianai.answering.recovery")

    async def take_up(
        self,
        left: Sequence[PendingQuestion],
        numbers: Iterator[int],
        answer_again: AnswerAgain,
        stopping: Callable[[], bool],
    ) -> None:
        """Deal with each, oldest first and few at a time, until the bot is `stopping`; all are done then."""
        if new := sum(not entry.question.number for entry in left):
            self._log.info("resuming open questions", questions=new)
        at_once = trio.Semaphore(AT_ONCE)
        asked_at = [_asked_at(entry.question) for entry in left]

        async def take(entry: PendingQuestion, moment: float) -> None:
            try:
                with Guard(self._log, "bug while resuming a question", error=entry.question.number):
                    await self._take(entry, moment, answer_again)
            finally:
                at_once.release()

        async with trio.open_nursery() as nursery:
            for entry, moment in zip(left, asked_at, strict=True):
                await at_once.acquire()
                if stopping():
                    at_once.release()
                    return
                number = entry.question.number or next(numbers)
                question = replace(entry.question, number=number, protected=True)
                nursery.start_soon(take, replace(entry, question=question), moment)

    async def _take(self, entry: PendingQuestion, asked_at: float, answer_again: AnswerAgain) -> None:
        question = _dated(entry.question, asked_at)
        entry = replace(entry, question=question)
        bind_contextvars(question=question.number)
        if LATEST < since_boot() - asked_at < IMPOSSIBLE_AGE:
            await self._journal.finish(question)
            return
        delivery = self._deliver(question, entry.posted)
        if entry.starts >= MOST_STARTS:
            await self._give_up(entry, delivery)
            return
        # Before anything else: whatever of this ends the process is not tried for ever.
        if not await self._journal.count_start(entry):
            return
        told, guard = True, Guard(self._log, "bug while resuming a question", error=question.number)
        try:
            with guard:
                told = await self._tell_what_is_known(entry, delivery)
        except trio.Cancelled:
            await self._journal.take_back_start(question)
            raise
        if guard.failed:  # as it would the next time
            await delivery.apologise(numbered(INTERNAL_ERROR, question))
            await self._journal.finish(question)
        elif not told:
            await answer_again(question, entry.posted)

    async def _tell_what_is_known(self, entry: PendingQuestion, delivery: Delivery) -> bool:
        """Show the answer that is stored, or tell that it is too late; False if a provider is to be asked."""
        if not await delivery.is_open():
            await self._say_late(entry, delivery)
            return True
        if entry.complete:
            await delivery.show(entry.text)
            await self._journal.finish(entry.question)
        return entry.complete

    async def _give_up(self, entry: PendingQuestion, delivery: Delivery) -> None:
        """The question was open when two processes ended: tell the person, and do nothing else with it."""
        question = entry.question
        self._log.error("question given up after stopping the bot twice", error=question.number)
        if not await delivery.is_open():
            await self._say_late(replace(entry, text="", complete=False), delivery)
            return
        await delivery.apologise(numbered(STOPPED_TWICE, question))
        await self._journal.finish(question)

    async def _say_late(self, entry: PendingQuestion, delivery: Delivery) -> None:
        """Nothing can be written in its place any more: tell the person in the channel, or later."""
        words, text = (LATE, entry.text) if entry.complete else (MISSED, "")
        if await delivery.say_late(words, text):
            await self._journal.finish(entry.question)
        else:
            self._owe(entry.question)

    def _owe(self, question: Question) -> None:
        self._owed.setdefault(question.person.id, []).append((_asked_at(question), question))

    async def tell_late(self, person_id: int, delivery: Delivery) -> None:
        """Tell a person what they could not be told earlier, below the answer of that delivery."""
        owed = self._owed.pop(person_id, [])
        while owed:
            asked_at, question = owed[0]
            words = MISSED_EARLIER.format(ago=_ago(since_boot() - asked_at))
            if not await delivery.follow_up(words, question.text if question.from_form else ""):
                self._owed.setdefault(person_id, []).extend(owed)
                return
            del owed[0]
            await self._journal.finish(question)


def _asked_at(question: Question) -> float:
    """When it was asked, in seconds since boot: nobody can set that clock while the question waits.

    Its own time is by the system clock as it stood when the question was read.
    """
    return since_boot() - (time.time() - question.address.acknowledged_at)


def _dated(question: Question, asked_at: float) -> Question:
    """The question with its time by the system clock as it stands now."""
    acknowledged_at = time.time() - (since_boot() - asked_at)
    return replace(question, address=replace(question.address, acknowledged_at=acknowledged_at))


def _ago(seconds: float) -> str:
    """In whole minutes, hours or days; nothing exact where a clock is wrong."""
    if seconds >= IMPOSSIBLE_AGE:
        return "some time"
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count != 1)}"
    return "a moment"
