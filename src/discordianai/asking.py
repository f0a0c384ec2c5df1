"""Asks the providers one question: the chosen one first, Perplexity where the model calls for the web, and
the other one where one fails before it has said anything.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog

from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.dispatch.routing import WEB_SEARCH, Choice, Inquiry, Router
from discordianai.model import ChatRequest, Chunk, ProviderName, Route, ToolCall, Turn, Usage
from discordianai.providers.errors import ProviderError, ToolsRefused

HELD_BACK = 60
"""Characters of an answer that wait until it is clear that no call of a tool follows. Models that call one do
so at once, or after a short sentence. At thirty tokens a second this takes half a second."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the providers are asked it; `request` makes the request for a provider.

    `reserve` sets aside what a request may cost, and raises `AllowanceSpent` where there is not so much.
    `deadline` is on trio's clock, `number` the question's in the log.
    """

    inquiry: Inquiry
    request: Callable[[ProviderName, str], ChatRequest]
    reserve: Callable[[ProviderName, str, Usage], Awaitable[None]]
    deadline: float
    number: int


class Asking:
    """Knows every dispatcher."""

    def __init__(self, dispatchers: Mapping[ProviderName, Dispatcher], router: Router) -> None:
        self._dispatchers = dispatchers
        self._router = router
        self._log = structlog.get_logger("discordianai.asking")

    async def chunks(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """The answer's chunks, the first of each provider with its `route`.

        Raises the errors of `Dispatcher.stream` when no other provider can help.
        """
        log = self._log.bind(question=asked.number)
        choice, call, note = self._router.choose(asked.inquiry), None, ""
        failed: set[ProviderName] = set()
        while True:
            shown, called = False, False
            try:
                async with aclosing(self._try(choice, call, note, asked)) as chunks:
                    async for chunk in chunks:
                        if chunk.tool_call is not None:
                            call, called = chunk.tool_call, True
                            continue
                        shown = shown or bool(chunk.text)
                        yield chunk
                if not called:
                    return
                choice = self._router.search()
            except ProviderError as error:
                if isinstance(error, ToolsRefused) and choice.tools:
                    self._router.give_up_tools()
                    choice = self._router.choose(asked.inquiry)
                    continue
                failed.add(choice.provider)
                instead = self._router.instead(choice, failed)
                if shown or instead is None or not error.helped_by_others:
                    raise
                log.warning("asking the other provider", reason=error.for_log)
                note = f"{choice.provider.label} could not answer, so {instead.provider.label} did."
                choice = instead

    async def _try(
        self, choice: Choice, call: ToolCall | None, note: str, asked: Asked
    ) -> AsyncGenerator[Chunk, None]:
        dispatcher = self._dispatchers[choice.provider]
        request = replace(asked.request(choice.provider, dispatcher.model), tools=choice.tools)
        if choice.provider is ProviderName.PERPLEXITY and call is not None:
            request = replace(request, turns=_with_query(request.turns, call.argument))
        self._log.debug(
            "asking", question=asked.number, provider=choice.provider.value, turns=len(request.turns)
        )
        await asked.reserve(choice.provider, request.model, dispatcher.expected(request))
        yield Chunk(route=Route(choice.provider, request.model, choice.why, note))
        patience = HELD_BACK if choice.tools else 0
        async with (
            dispatcher.stream(request, asked.deadline) as chunks,
            aclosing(_held_back(chunks, patience)) as held,
        ):
            async for chunk in held:
                if chunk.text:
                    self._router.answered(asked.inquiry, choice.provider)
                yield chunk


async def _held_back(chunks: AsyncIterator[Chunk], characters: int) -> AsyncGenerator[Chunk, None]:
    """The same chunks, their text as soon as it is clear that it is the answer: after so many characters.

    Before a call of the tool, text is dropped; after text was shown, a call is. The end is read all the same,
    for the usage that it tells.
    """
    text, shown, called = "", False, False
    async for chunk in chunks:
        if chunk.tool_call is not None:
            if not shown and not called and chunk.tool_call.name == WEB_SEARCH.name:
                called = True
                yield chunk
            continue
        if not shown and chunk.text:
            text += chunk.text
            chunk = replace(chunk, text="")  # the same one, whose text comes later
        if not shown and not called and (len(text) > characters or chunk.finish_reason is not None):
            shown = True
            chunk = replace(chunk, text=text)
        yield chunk
    if not shown and not called and text:
        yield Chunk(text=text)


def _with_query(turns: tuple[Turn, ...], query: str) -> tuple[Turn, ...]:
    """The same turns, the last with what the model wants to be searched for."""
    question = turns[-1]
    if not query.strip():
        return turns
    return (*turns[:-1], replace(question, text=f"{question.text}\n\n(Search the web for: {query})"))
