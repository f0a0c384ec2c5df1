"""A `Delivery` that keeps what it is to tell, and the `Deliver` that makes it."""

from collections.abc import Awaitable, Callable

import trio

from discordianai.answering.service import QuestionTicket
from discordianai.conversations.pending_questions import Posted
from discordianai.records import Question


class FakeDelivery:
    """`told` has each call with its words. `open` and `reachable` are what the place is."""

    def __init__(self, question: Question, posted: Posted, place: "FakePlace") -> None:
        self.question = question
        self.posted = posted
        self._place = place

    async def answer(self, ticket: QuestionTicket | None) -> None:
        """See `Delivery.answer`."""
        await self._tell("answer")

    async def is_open(self) -> bool:
        """See `Delivery.is_open`."""
        return self._place.open

    async def show(self, text: str) -> None:
        """See `Delivery.show`."""
        await self._tell("show", text)

    async def say_late(self, words: str, text: str = "") -> bool:
        """See `Delivery.say_late`."""
        if self._place.reachable:
            await self._tell("say late", words, text)
        return self._place.reachable

    async def follow_up(self, words: str, form_text: str = "") -> bool:
        """See `Delivery.follow_up`."""
        if self._place.reachable:
            await self._tell("follow up", words + form_text)
        return self._place.reachable

    async def apologise(self, words: str) -> None:
        """See `Delivery.apologise`."""
        await self._tell("apologise", words)

    async def _tell(self, what: str, *words: str) -> None:
        await self._place.waits(what)
        self._place.told.append((what, self.question.number, *words))


async def _at_once(what: str) -> None:
    await trio.lowlevel.checkpoint()


class FakePlace:
    """Makes the deliveries of a test. `waits` is awaited before anything is told, and may raise."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.open = True
        self.reachable = True
        self.waits: Callable[[str], Awaitable[object]] = _at_once
        self.fails: list[Exception] = []
        """Raised by the next ones that are made."""

    def __call__(self, question: Question, posted: Posted) -> FakeDelivery:
        """See `Deliver`."""
        if self.fails:
            raise self.fails.pop(0)
        return FakeDelivery(question, posted, self)
