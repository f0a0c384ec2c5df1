"""A provider: the codec of its dialect over its endpoint."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping
from contextlib import aclosing, asynccontextmanager
from urllib.parse import urlsplit

import httpx
import structlog
import trio

from discordianai.option import Live
from discordianai.providers import failures
from discordianai.providers.agent import AgentCodec
from discordianai.providers.chat import ChatCodec
from discordianai.providers.endpoint import AnswerBody, ProviderEndpoint
from discordianai.providers.error_body import unquoted
from discordianai.providers.errors import ConnectionLost, ProviderError, ToolsRefused
from discordianai.providers.json_values import Json
from discordianai.providers.limits import rate_limits
from discordianai.providers.negotiation import FormSearches, Negotiation, kind_of
from discordianai.providers.optional_fields import OptionalField, RefusedFields, fields_of, without
from discordianai.providers.options import DIALECTS_BY_HOST, ProviderOptions
from discordianai.providers.port import (
    ChatProvider,
    Codec,
    Decoder,
    End,
    Event,
    FurtherRequest,
    LimitsReport,
    OutputBegan,
    TextDelta,
)
from discordianai.providers.responses import ResponsesCodec
from discordianai.records import ChatRequest, Dialect, Provider, SearchMode

LINGER = 1.0
"""Seconds to wait for the end of the response after the last event: then the connection can be reused."""

MOST_KEPT = 100
"""Questions whose search for a form was interrupted, by a rate limit for instance."""

_CODECS: Mapping[Dialect, Callable[[Provider, ProviderOptions], Codec]] = {
    Dialect.RESPONSES: ResponsesCodec,
    Dialect.AGENT: AgentCodec,
    Dialect.CHAT: ChatCodec,
}


def make_provider(
    client: httpx.AsyncClient,
    provider: Provider,
    options: ProviderOptions,
    refused: RefusedFields | None = None,
    live: Live[ProviderOptions] | None = None,
) -> ChatProvider:
    """`provider`, asked as `options` say over `client`, which the caller opens and closes.

    `refused` remembers what endpoints refuse, for all providers of a bot. `live` has the options that change
    while it runs.
    """
    codec = _CODECS[provider.dialect](provider, options)
    return ProviderClient(client, provider, live or Live(options), codec, refused or RefusedFields())


class ProviderClient:
    """A `ChatProvider` over `client`, which the caller opens and closes."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        provider: Provider,
        live: Live[ProviderOptions],
        codec: Codec,
        refused: RefusedFields,
    ) -> None:
        self._options = live.now
        self._live = live
        self._endpoint = ProviderEndpoint(client, provider, self._options)
        self._provider = provider
        self._codec = codec
        self._refused = refused
        self._searches = FormSearches()
        self._kept: dict[Hashable, Negotiation] = {}
        self._address = f"{self._options.base_url}{codec.path}"
        official = urlsplit(self._options.base_url).hostname in DIALECTS_BY_HOST
        # Whoever defines a dialect refuses for a reason; only streaming is not for all of its customers.
        self._strict = official or provider.dialect is Dialect.AGENT
        self._log = structlog.get_logger("discordianai.providers.client").bind(provider=self.provider.name)

    @property
    def provider(self) -> Provider:
        """See `ChatProvider.provider`."""
        return self._provider

    @property
    def model(self) -> str:
        """See `ChatProvider.model`."""
        return self._options.usual_model

    @asynccontextmanager
    async def stream(
        self, request: ChatRequest, deadline: float = math.inf
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """See `ChatProvider.stream`."""
        async with aclosing(self._events(request, deadline)) as events:
            yield events

    async def _events(self, request: ChatRequest, deadline: float) -> AsyncGenerator[Event, None]:
        """Ask until the endpoint takes the question, without what it refuses."""
        begun = False
        with self._searches.of(request.model) as search:
            asked = self._negotiation(request)
            while True:
                try:
                    async with aclosing(self._ask(request, asked.body, deadline)) as events:
                        async for event in events:
                            if not begun and not isinstance(event, LimitsReport):
                                begun = True
                                self._learn(request, asked)
                                search.end()
                                if event is None:
                                    yield OutputBegan()
                            if event is not None:
                                yield event
                    return
                except ProviderError as error:
                    if begun:
                        raise
                    self._go_on(request, asked, error)
                if asked.guesses and not await search.begin():
                    asked = self._negotiation(request)
                yield FurtherRequest()

    def _go_on(self, request: ChatRequest, asked: Negotiation, error: ProviderError) -> None:
        """Raises what is to be told where the question cannot be asked in another form."""
        if asked.try_another_form(error):
            self._log.info(
                "question refused: asking without",
                question=request.number,
                fields=[field.value for field in asked.refused],
            )
            return
        if error.safe_to_retry:
            self._keep(request, asked)
        elif asked.in_vain(error):
            self._searches.settle(kind_of(request, asked.first_form))
        raise asked.verdict(error) from error.__cause__

    def _negotiation(self, request: ChatRequest) -> Negotiation:
        """Begin with what the endpoint is known to take. Raises `ToolsRefused` if that has no tools."""
        optional = set(OptionalField)
        if request.search is SearchMode.REQUIRED:
            optional -= {OptionalField.TOOLS}  # the search is what was asked for
        known = self._refused.known(self._address, request.model)
        wants_tools = request.tools or request.search is SearchMode.OFFERED
        if wants_tools and (tools := known.get(OptionalField.TOOLS)) is not None:
            raise ToolsRefused(self.provider, tools.reason, until=tools.until)
        if self._strict:
            optional = {OptionalField.STREAM}
        body = self._codec.encode(request)
        if (kept := self._kept.pop(_identity(request), None)) is not None:
            kept.resume(body)
            return kept
        settled = self._searches.is_settled(kind_of(request, fields_of(without(body, known))))
        return Negotiation(body, known, optional, named_only=self._strict or settled)

    def _keep(self, request: ChatRequest, asked: Negotiation) -> None:
        """A question that is asked again after a pause goes on with what was found out about it before."""
        if request.number and asked.refused:
            asked.pause()
            self._kept[_identity(request)] = asked
            if len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def _learn(self, request: ChatRequest, asked: Negotiation) -> None:
        """The question is being answered, so that what was left out is what was refused.

        Raises `ToolsRefused` if the tools are among that; the caller decides who is asked without them.
        """
        address, model = self._address, request.model
        self._refused.learn(self.provider.name, address, model, asked.refused, asked.reason)
        self._searches.settle(kind_of(request, fields_of(asked.body)))
        if OptionalField.TOOLS in asked.refused:
            until = self._refused.known(address, model)[OptionalField.TOOLS].until
            raise ToolsRefused(self.provider, asked.reason, until=until)

    async def _ask(
        self, request: ChatRequest, body: Json, deadline: float
    ) -> AsyncGenerator[Event | None, None]:
        """The events of the answer to one request; None stands for one that has begun, but not with an event.

        Raises `ProviderError`.
        """
        try:
            async with self._endpoint.post(self._codec.path, body) as response:
                if not response.is_success:
                    sent = (request.instructions, *(turn.text for turn in request.turns))
                    error = unquoted(await self._endpoint.refusal(response), sent)
                    raise failures.from_response(self.provider, response, error)
                async with self._answer(request, response, deadline) as events:
                    async for event in events:
                        yield event
        except httpx.HTTPError as error:
            raise failures.from_httpx(self.provider, error) from error

    @asynccontextmanager
    async def _answer(
        self, request: ChatRequest, response: httpx.Response, deadline: float
    ) -> AsyncIterator[AsyncIterator[Event | None]]:
        """The events of a response. If this is left early, the run is cancelled."""
        decoder = self._codec.decoder(request, response.headers.get("x-request-id", ""))
        try:
            async with aclosing(self._read(response, decoder, deadline)) as events:
                yield events
        finally:
            path = self._codec.cancel_path(decoder.run_id) if decoder.run_id and not decoder.ended else None
            if path is not None:
                await self._cancel(path, response, request.number)

    async def _cancel(self, path: str, response: httpx.Response, question: int) -> None:
        """A run that is not cancelled goes on, and is paid for."""
        try:
            await self._endpoint.cancel(path, response)
        except ProviderError as error:
            self._log.info("run could not be cancelled", question=question, reason=error.for_log)

    async def _read(
        self, response: httpx.Response, decoder: Decoder, deadline: float
    ) -> AsyncGenerator[Event | None, None]:
        if limits := rate_limits(response.headers):
            yield LimitsReport(limits)
        progress = _Progress(self._live, deadline)
        body = AnswerBody(self.provider, response, progress)
        if await body.is_json():
            for event in decoder.decode_whole(await body.json()):
                yield event
            return
        async with aclosing(self._stream(body, decoder, progress)) as events:
            async for each in events:
                yield each

    async def _stream(
        self, body: AnswerBody, decoder: Decoder, progress: "_Progress"
    ) -> AsyncGenerator[Event | None, None]:
        failure: ProviderError = ConnectionLost(self.provider, "the stream ended before the answer did")
        begun = False
        try:
            async with aclosing(body.events()) as stream:
                async for data in stream:
                    # What follows the last event is read as well, up to the end of the response.
                    for event in () if progress.complete else decoder.decode(data):
                        progress.see(event)
                        yield event
                    if decoder.begun and not begun:
                        begun = True
                        yield None
                    if progress.complete and not decoder.ended:
                        return  # cut here: the rest is not needed
        except (httpx.HTTPError, ProviderError) as error:
            failure = failures.from_httpx(self.provider, error)
        for event in () if progress.complete else decoder.close():
            progress.see(event)
            yield event
        if not progress.complete:
            raise failure


def _identity(request: ChatRequest) -> Hashable:
    """The same for all tries of a question; another one where it is asked in another way."""
    return request.number, request.model, request.tools, request.search


class _Progress:
    """How far an answer is, and the deadline of the next bytes on trio's clock."""

    def __init__(self, live: Live[ProviderOptions], answer_deadline: float) -> None:
        self._live = live
        self._answer_deadline = answer_deadline
        self._any_text = False
        self._last_sign = self._last_text = trio.current_time()
        self._end = 0.0
        self.complete = False

    def see(self, event: Event) -> None:
        """An event of the answer."""
        if isinstance(event, TextDelta):
            self._any_text, self._last_text = True, trio.current_time()
        elif isinstance(event, End):
            self.complete, self._end = True, trio.current_time() + LINGER

    def extend(self) -> None:
        """Anything shows that the provider works: a model may search and think before the first text, and
        between two pieces; but not without end."""
        self._last_sign = trio.current_time()

    @property
    def deadline(self) -> float:
        """See `Deadlines.deadline`."""
        if self.complete:
            return self._end
        return min(self._silent_too_long_at, self._without_text_too_long_at, self._answer_deadline)

    @property
    def overdue(self) -> str:
        """See `Deadlines.overdue`."""
        if trio.current_time() >= self._answer_deadline:
            return "the answer was not complete in time"
        thinks = self._without_text_too_long_at <= self._silent_too_long_at
        return "no text in time" if thinks else "nothing came in time"

    @property
    def _silent_too_long_at(self) -> float:
        options = self._live.now
        return self._last_sign + (options.read_timeout if self._any_text else options.first_token_timeout)

    @property
    def _without_text_too_long_at(self) -> float:
        return self._last_text + self._live.now.reasoning_timeout
