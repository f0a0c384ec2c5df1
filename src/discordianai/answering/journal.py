"""Keeps questions that outlive this process: stored before they are acknowledged, erased once answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

import structlog
import trio

from discordianai.answering.open_questions import QuestionCounter
from discordianai.conversations.pending_questions import (
    FinishedAnswer,
    PendingQuestion,
    PendingQuestions,
    Posted,
    TurnId,
)
from discordianai.conversations.store import ClaimLost, KeptInMemory, StoreError
from discordianai.guard import Guard
from discordianai.records import Question

TAKE_BACK_WITHIN = 2.0
"""Seconds to store that a question was left for the next process; the store answers in milliseconds."""


class JournalResult(Enum):
    """Whether a question survives the process that accepted it."""

    STORED = "stored"
    NOT_STORED = "the store did not take it in time"
    REPLAYED = "this interaction has come before"


class Journal:
    """On the trio thread. A question whose journal fails is answered all the same."""

    def __init__(self, store: PendingQuestions, counts: QuestionCounter) -> None:
        self._store = store
        self._counts = counts
        self._unread = False
        self._unstored = False
        self._uncountable = False
        self._uncounted: list[PendingQuestion] = []
        self._log = structlog.get_logger("discordianai.answering.journal")

    async def accept(self, question: Question) -> JournalResult:
        """Store a question that is about to be acknowledged. Raises `StoreError`."""
        if await self._store.accept(question):
            self._unstored = False
            return JournalResult.STORED
        self._counts.replayed()
        return JournalResult.REPLAYED

    def missed(self, question: Question, error: Exception) -> JournalResult:
        """Count a question that could not be stored, or not in time; from any thread."""
        self._counts.unprotected()
        reason = type(error).__name__
        # Once until one is stored again. And the store has logged that it keeps them in memory.
        told = self._unstored or isinstance(error, KeptInMemory)
        self._unstored = True
        log = self._log.debug if told else self._log.warning
        log("question not protected against a crash", question=question.number, reason=reason)
        return JournalResult.NOT_STORED

    async def note_posted(self, question: Question, posted: Posted, text: str) -> None:
        """Store what has been posted of its answer, so that a later process can edit it.

        Raises `ClaimLost`.
        """
        async with self._logged(question, "posted messages not stored"):
            await self._store.note_posted(question.address.interaction_id, posted, text)

    async def answered(self, question: Question, answer: FinishedAnswer) -> TurnId | None:
        """Store what was answered; the id of its turn, if it has one and that is on the disk.

        Raises `ClaimLost`.
        """
        try:
            return await self._store.answered(question.address.interaction_id, answer)
        except ClaimLost:
            raise
        except KeptInMemory as error:  # the store has logged it, once for all questions
            self._log.debug("turn kept in memory", question=question.number, reason=str(error))
        except StoreError as error:
            self._log.error("turn not stored", question=question.number, reason=str(error))
        return None

    async def finish(self, question: Question) -> None:
        """Erase a question: it is answered, or never will be. Otherwise the next process resumes it."""
        with suppress(ClaimLost):  # the other process ends it
            async with self._logged(question, "end of a question not stored"):
                await self._store.finish(question.address.interaction_id)

    async def take_over(self) -> tuple[PendingQuestion, ...]:
        """The questions that other processes left, oldest first; none while the store cannot be read.

        Those whose start could not be counted come again.
        """
        try:
            left = await self._store.take_over()
        except StoreError as error:
            # Once until it can: this is asked every few seconds.
            log = self._log.debug if self._unread else self._log.error
            log("open questions could not be read", reason=str(error))
            self._unread = True
            return ()
        self._unread = False
        uncounted, self._uncounted = self._uncounted, []
        return (*uncounted, *left)

    async def count_start(self, entry: PendingQuestion) -> bool:
        """Note that this process starts it; return whether that is stored and the question is still open."""
        try:
            is_open = await self._store.count_start(entry.question.address.interaction_id)
        except ClaimLost:  # the other process answers it
            return False
        except StoreError as error:
            # Once until one can be counted: all are tried again every few seconds.
            log = self._log.debug if self._uncountable else self._log.warning
            log("open questions wait for the database", reason=str(error))
            self._uncountable = True
            self._uncounted.append(entry)
            return False
        self._uncountable = False
        return is_open

    async def take_back_start(self, question: Question) -> None:
        """Note that the bot is stopping, so that this does not count as a crash caused by the question."""
        with (
            trio.move_on_after(TAKE_BACK_WITHIN, shield=True),
            Guard(self._log, "bug while taking back a start", question=question.number),
            suppress(StoreError),
        ):
            if question.protected:
                await self._store.take_back_start(question.address.interaction_id)

    @asynccontextmanager
    async def _logged(self, question: Question, event: str) -> AsyncIterator[None]:
        try:
            yield
        except ClaimLost:
            raise
        except StoreError as error:
            self._log.debug(event, question=question.number, reason=str(error))
