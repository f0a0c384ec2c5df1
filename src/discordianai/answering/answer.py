"""What has arrived of an answer so far, what is reserved for it, and what is shown below it at the end."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import assert_never

from discordianai.answering.provider_chain import AnswerEvent
from discordianai.answering.reply import AnswerEnd
from discordianai.conversations.accounting import Charge, Spent, dollars
from discordianai.dispatch.dispatcher import QueuePosition
from discordianai.dispatch.refusals import DeadlinePassed
from discordianai.providers.errors import ProviderError
from discordianai.providers.port import (
    End,
    FurtherRequest,
    LimitsReport,
    OutputBegan,
    SearchQuery,
    SourceList,
    TextDelta,
    UsageReport,
)
from discordianai.records import FinishReason, Question, Route, ToolCall, Usage, WebSearch
from discordianai.text import GrowingText

COMING_BACK = "I'm restarting. The answer will come when I'm back."
RESTARTING = "I'm restarting and couldn't finish this. Please ask again in a minute."
INTERNAL_ERROR = "Something went wrong inside the bot."
EMPTY_ANSWER = "The model gave an empty answer. Rephrasing the question often helps."
NO_ROOM = "The model reached its length limit before it said anything. A simpler question may help."
CUT_SHORT = "The answer was cut short because it reached the length limit."
FILTERED = "{label}'s content filter stopped this answer."
BROKEN_OFF = "The answer breaks off here."
STOPPED = "Stopped."
TOO_LATE = f"{DeadlinePassed.sentence} {DeadlinePassed.advice}"


@dataclass(slots=True)
class ProviderUsage:
    """What a request to one provider took; `usage` is its own count, None until it says."""

    route: Route
    usage: Usage | None = None


@dataclass(slots=True)
class AnswerSoFar:
    """The events of an answer, added up. `spent` has every provider that sent something."""

    finish_reason: FinishReason | None = None
    has_sources: bool = False
    route: Route | None = None
    spent: list[ProviderUsage] = field(default_factory=list)
    written: GrowingText = field(default_factory=GrowingText)

    @property
    def text(self) -> str:
        """The text so far."""
        return str(self.written)

    @property
    def says_something(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.text.strip())

    @property
    def complete(self) -> bool:
        """Whether the model has said all that it wanted to."""
        return self.says_something and self.finish_reason is FinishReason.STOP

    def add(self, event: AnswerEvent) -> None:
        """Take the next event."""
        match event:
            case TextDelta(text):  # by far the most
                self._heard()
                self.written.append(text)
            case Route():
                self.route, self.has_sources = event, False
            case QueuePosition() | LimitsReport() | FurtherRequest():
                pass
            case UsageReport(usage):
                self._heard().usage = usage
            case End(reason):
                self._heard()
                self.finish_reason = reason
            case SourceList():
                self._heard()
                self.has_sources = True
            case ToolCall() | SearchQuery() | OutputBegan():
                self._heard()
            case _:
                assert_never(event)

    def _heard(self) -> ProviderUsage:
        """The current provider has sent something."""
        assert self.route is not None  # noqa: S101  # for mypy: every provider is announced by its route
        if not self.spent or self.spent[-1].route is not self.route:
            self.spent.append(ProviderUsage(self.route))
        return self.spent[-1]

    def ended(self, question: Question) -> AnswerEnd:
        """What is shown below a complete answer."""
        if self.finish_reason is FinishReason.FILTERED and self.route is not None:
            return self._closing(numbered(FILTERED.format(label=self.route.provider.label), question))
        if not self.says_something:
            nothing = NO_ROOM if self.finish_reason is FinishReason.LENGTH else EMPTY_ANSWER
            return AnswerEnd(note=numbered(nothing, question))
        if self.finish_reason is FinishReason.LENGTH:
            return self._closing(CUT_SHORT, unfinished=True)
        if self.finish_reason is FinishReason.OTHER:
            return self._closing(BROKEN_OFF, unfinished=True)
        return self._closing("")

    def cancelled(self) -> AnswerEnd:
        """What is shown below an answer that somebody stopped."""
        return self._closing(STOPPED, unfinished=True)

    def failed(self, question: Question, error: ProviderError) -> AnswerEnd:
        """What is shown below an answer that a provider refused or broke off."""
        if not self.says_something:
            return AnswerEnd(note=numbered(error.for_person, question))
        return self._closing(numbered(f"{BROKEN_OFF} {error.what_happened}", question), unfinished=True)

    def _closing(self, note: str, *, unfinished: bool = False) -> AnswerEnd:
        """An answer without text names no provider."""
        said = self.says_something
        footer = _footer(self.route) if said and self.route else ""
        if said and self.route:  # who answered without what, or instead of whom, is true of a part as well
            note = " ".join(filter(None, (self.route.note, note)))
        always = self.route is not None and self.route.provider.web_search is WebSearch.ALWAYS
        searched = always or self.has_sources
        return AnswerEnd(note, footer, unfinished and said, searched)


def numbered(sentence: str, question: Question) -> str:
    """The number lets the operator find this question's lines in the log."""
    return f"{sentence} (error {question.number})"


def _footer(route: Route) -> str:
    return f"{route.provider.label} · {route.model} · {route.why}"


def with_usage(footer: str, charges: Sequence[Charge]) -> str:
    """The footer with what all requests for this answer took: tokens, and their cost where that is known."""
    if not footer or not charges:
        return footer
    spent = Spent()
    for charge in charges:
        spent = spent.plus(charge.usage, charge.cost)
    known = "" if spent.unpriced else dollars(spent.cost)
    partly = f"{dollars(spent.cost)} and more" if spent.unpriced and spent.cost else ""
    return " · ".join(filter(None, (footer, f"{spent.tokens:,} tokens", known or partly)))


class Reservations(AsyncExitStack):
    """Held until the block is left; that of a request which was answered with nothing, until the next one.

    Such a request costs nothing: a provider that fails must not take the room of the one that stands in.
    """

    def __init__(self, answer: AnswerSoFar) -> None:
        super().__init__()
        self._answer = answer
        self._heard = 0
        self._last = AsyncExitStack()

    async def hold(self, held: AbstractAsyncContextManager[None]) -> None:
        """Reserve for the next request. Raises what `held` does."""
        heard = len(self._answer.spent)
        if heard == self._heard:
            await self._last.aclose()
        self._heard, self._last = heard, await self.enter_async_context(AsyncExitStack())
        await self._last.enter_async_context(held)
