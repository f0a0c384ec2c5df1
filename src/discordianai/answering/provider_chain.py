"""Asks providers one question: the chosen one, one that searches if the model calls for the web, and another
one if one fails before any text.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

import structlog
import trio

from discordianai.answering.web_decisions import PROBABLE, WebDecisions
from discordianai.dispatch.dispatcher import Dispatcher, QueuePosition
from discordianai.dispatch.routing import WEB_SEARCH, Choice, Inquiry, Router
from discordianai.providers.errors import BadRequest, ProviderError, ToolsRefused
from discordianai.providers.port import End, Event, TextDelta, UsageReport
from discordianai.records import ChatRequest, Provider, Route, SearchMode, ToolCall, Turn, Usage

HELD_BACK = 60
"""Characters of an answer that are delayed until it is clear that no tool call follows. Models that call one
do so at once, or after a short sentence. At thirty tokens a second this takes half a second.
"""

PARAGRAPH = "\n\n"

DECIDES = "to decide who answers"
"""The route of a request that only decides: it has a usage, but no text."""

USAGE_WITHIN = 1.0
"""Seconds to wait, after a tool call, for its usage, which comes at the end of the stream."""
_WITHOUT_REASON = (BadRequest, ToolsRefused)

AnswerEvent = Event | QueuePosition | Route
"""The events of an answer. A `Route` says who answers from there on."""


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """A question as the providers are asked it; `request` makes the request for a provider.

    `reserve` sets aside what a request may cost that is expected to take so much. Raises `BeyondDailyLimit`.
    `deadline` is on trio's clock, `number` the question's in the log.
    """

    inquiry: Inquiry
    request: Callable[[Provider, str], ChatRequest]
    reserve: Callable[[Provider, ChatRequest, Usage], Awaitable[None]]
    deadline: float
    number: int


class ProviderChain:
    """Knows every dispatcher, by its provider's name."""

    def __init__(
        self, dispatchers: Mapping[str, Dispatcher], router: Router, decisions: WebDecisions | None = None
    ) -> None:
        self._dispatchers = dispatchers
        self._decisions = decisions
        self._router = router
        self._log = structlog.get_logger("discordianai.answering.provider_chain")

    async def events(self, asked: ChainRequest) -> AsyncGenerator[AnswerEvent, None]:
        """The answer's events, those of each provider behind a `Route`.

        What is found on the web is a paragraph of its own behind what the model said before it called for it.
        Raises the errors of `Dispatcher.stream` when no other provider can help.
        """
        asked, decided = await self._decide(asked)
        for event in decided:
            yield event
        choice, call, note = self._router.choose(asked.inquiry), None, ""
        failed: dict[str, ProviderError] = {}
        preamble = ""
        while True:
            shown, called = False, False
            try:
                others = self._others_may_answer(choice, failed, asked.inquiry)
                async with aclosing(self._try(choice, call, note, asked, others=others)) as events:
                    async for event in events:
                        if isinstance(event, ToolCall):
                            call, called = event, True
                        if isinstance(event, TextDelta) and not shown:
                            shown, event = True, TextDelta(preamble + event.text)
                        yield event
                preamble = PARAGRAPH if shown else preamble
                search = self._router.search() if called else None
                if search is None:
                    return
                choice = search
            except ProviderError as error:
                failed[choice.provider.name] = error
                choice, note = self._after(error, choice, failed, asked, shown=shown)

    def _others_may_answer(self, choice: Choice, failed: Collection[str], inquiry: Inquiry) -> bool:
        """Whether another provider is there to help if this one fails."""
        instead = self._router.instead(choice, {*failed, choice.provider.name}, inquiry)
        return instead is not None and self._dispatchers[instead.provider.name].is_well

    async def _decide(self, asked: ChainRequest) -> tuple[ChainRequest, Sequence[AnswerEvent]]:
        """The question with what a model decides about it, where it is to, and the events of that."""
        decisions = self._decisions
        if decisions is None or not self._router.undecided(asked.inquiry):
            return asked, ()
        request = replace(asked.request(decisions.provider, decisions.model), model=decisions.model)
        expected = decisions.expected(request)
        await asked.reserve(decisions.provider, request, expected)
        decision = await decisions.on(request, asked.deadline)
        if decision is None:
            return asked, ()
        if decision.probability is not None:
            web = decision.probability >= PROBABLE
            asked = replace(asked, inquiry=replace(asked.inquiry, web=web))
        route = Route(decisions.provider, decisions.model, DECIDES)
        # Its own count, or what was expected: also of one that came too late, which is charged for, too.
        return asked, (route, UsageReport(decision.usage or expected))

    def _after(
        self,
        error: ProviderError,
        choice: Choice,
        failed: dict[str, ProviderError],
        asked: ChainRequest,
        *,
        shown: bool,
    ) -> tuple[Choice, str]:
        """Who is asked after `choice` has failed, and what to tell the person.

        Raises the most informative error if nobody is left.
        """
        log = self._log.bind(question=asked.number)
        if isinstance(error, ToolsRefused) and (choice.tools or choice.search is SearchMode.OFFERED):
            del failed[choice.provider.name]
            self._router.give_up_tools(choice.provider, error.until)
            return self._router.choose(asked.inquiry), ""
        instead = self._router.instead(choice, failed, asked.inquiry)
        if shown or not error.helped_by_others:
            raise error
        if instead is None:
            raise _most_telling(tuple(failed.values()))
        log.warning("asking another provider", reason=error.for_log)
        return instead, f"{choice.provider.label} couldn't answer, so {instead.provider.label} did."

    async def _try(
        self, choice: Choice, call: ToolCall | None, note: str, asked: ChainRequest, *, others: bool
    ) -> AsyncGenerator[AnswerEvent, None]:
        provider = choice.provider
        dispatcher = self._dispatchers[provider.name]
        request = asked.request(provider, dispatcher.model)
        request = replace(request, tools=choice.tools, search=choice.search)
        if call is not None and choice.search is SearchMode.REQUIRED:
            request = replace(request, turns=_with_query(request.turns, call.argument))
        self._log.debug("asking", question=asked.number, provider=provider.name, turns=len(request.turns))
        await asked.reserve(provider, request, dispatcher.expected(request))
        note = " ".join(filter(None, (note, _left_out(provider, asked.inquiry))))
        yield Route(provider, request.model, choice.why, note)
        patience = HELD_BACK if choice.tools else 0
        async with (
            dispatcher.stream(request, asked.deadline, others=others) as events,
            aclosing(_held_back(events, patience)) as held,
        ):
            begun = False
            async for event in held:
                if not begun and isinstance(event, TextDelta):
                    begun = True
                    self._router.answered(asked.inquiry, choice)
                yield event


async def _held_back(
    events: AsyncIterator[Event | QueuePosition], characters: int
) -> AsyncGenerator[Event | QueuePosition, None]:
    """The same events, text as soon as it is clear that it is the answer: after so many characters.

    A call of the tool is the last of them, but for the usage; text that was held back before it is dropped.
    """
    held, shown = "", False
    async for event in events:
        match event:
            case ToolCall(name):
                if name != WEB_SEARCH.name:
                    continue
                yield event
                if (usage := await _usage_behind(events)) is not None:
                    yield usage
                return
            case TextDelta(text) if not shown:
                held += text
                if len(held) <= characters:
                    continue
                shown, event = True, TextDelta(held)
            case End() if held and not shown:
                shown = True
                yield TextDelta(held)
        yield event


async def _usage_behind(call: AsyncIterator[Event | QueuePosition]) -> UsageReport | None:
    """What a call has taken, where that is told soon: nobody waits for a stream of which no more is wanted,
    nor minds how it ends."""
    usage = None
    with trio.move_on_after(USAGE_WITHIN), suppress(ProviderError):
        async for event in call:
            if isinstance(event, UsageReport):
                usage = usage or event
    return usage


def _most_telling(errors: Sequence[ProviderError]) -> ProviderError:
    """The last error, or an earlier one that says why the question was refused if the last does not."""
    *earlier, last = errors
    reasons = [one for one in earlier if isinstance(one, BadRequest) and type(one) not in _WITHOUT_REASON]
    return reasons[-1] if reasons and type(last) in _WITHOUT_REASON else last


def _left_out(provider: Provider, inquiry: Inquiry) -> str:
    """What the provider cannot accept, in words for the person."""
    kinds = {
        "images": inquiry.images and not provider.images,
        "files": inquiry.files and not provider.files,
    }
    missing = " or ".join(kind for kind, left_out in kinds.items() if left_out)
    return f"{provider.label} can't read {missing}, so it answered without them." if missing else ""


def _with_query(turns: tuple[Turn, ...], query: str) -> tuple[Turn, ...]:
    """The same turns, with the model's query added to the last one."""
    question = turns[-1]
    if not query.strip():
        return turns
    return (*turns[:-1], replace(question, text=f"{question.text}\n\n(Search the web for: {query})"))
