"""Keeps questions before they are acknowledged: called on the listener's loop, done on trio."""

import asyncio
from contextlib import suppress

import structlog

from discordianai.answering.question_counter import QuestionCounter
from discordianai.conversations.pending_questions import Said, TurnId
from discordianai.conversations.store import Store, StoreError
from discordianai.discord.gateway.bridge import Stopping, TrioCaller
from discordianai.discord.interactions.backend import JournalResult
from discordianai.guard import Guard
from discordianai.records import Question

PROTECT_WITHIN = 0.5
"""Seconds that an acknowledgement waits for the store. Discord waits three."""


class Journal:
    """Made on trio; its methods are awaited on asyncio."""

    def __init__(self, store: Store, caller: TrioCaller, counts: QuestionCounter) -> None:
        self._store = store
        self._caller = caller
        self._counts = counts
        self._log = structlog.get_logger("discordianai.answering.journal")

    async def protect(self, question: Question) -> JournalResult:
        """Have the question stored, if that is soon done."""
        try:
            async with asyncio.timeout(PROTECT_WITHIN):
                accepted = await self._caller.call(self._store.accept, question)
        except Exception as error:  # a bug there must not keep the question from being answered
            if not isinstance(error, TimeoutError | StoreError | Stopping):
                self._log.exception("a bug kept a question from being stored", question=question.number)
            self._counts.unprotected()
            reason = type(error).__name__
            self._log.debug("a question is not protected", question=question.number, reason=reason)
            return JournalResult.NONE
        if accepted:
            return JournalResult.STORED
        self._counts.replayed()
        return JournalResult.REPLAYED

    async def forget(self, question: Question) -> None:
        """Discord did not take the acknowledgement, so that there will be no answer."""
        with Guard(self._log, "a bug kept a question stored"), suppress(StoreError, Stopping):
            await self._caller.call(self._store.finish, question.address.interaction_id)

    async def recall(self, turn: TurnId) -> Said | None:
        """What was said in that turn. Raises `LookupError` where that cannot be told in time."""
        try:
            async with asyncio.timeout(PROTECT_WITHIN):
                return await self._caller.call(self._store.said, turn)
        except (TimeoutError, StoreError, Stopping) as error:
            raise LookupError(type(error).__name__) from error
