"""A provider: the codec of its dialect over its endpoint."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx
import structlog
import trio

from discordianai.providers import failures
from discordianai.providers.agent import AgentCodec
from discordianai.providers.chat import ChatCodec
from discordianai.providers.endpoint import ProviderEndpoint, event_data
from discordianai.providers.errors import ConnectionLost, ProviderError
from discordianai.providers.limits import rate_limits
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import ChatProvider, Codec, Decoder, End, Event, LimitsReport, TextDelta
from discordianai.providers.responses import ResponsesCodec
from discordianai.records import ChatRequest, Dialect, Provider

LINGER = 1.0
"""Seconds to wait for the end of the response after the last event: then the connection can be reused."""

_CODECS: Mapping[Dialect, Callable[[Provider, ProviderOptions], Codec]] = {
    Dialect.RESPONSES: ResponsesCodec,
    Dialect.AGENT: AgentCodec,
    Dialect.CHAT: ChatCodec,
}


def make_provider(client: httpx.AsyncClient, provider: Provider, options: ProviderOptions) -> ChatProvider:
    """`provider`, asked as `options` say over `client`, which the caller opens and closes."""
    return ProviderClient(client, provider, options, _CODECS[provider.dialect](provider, options))


class ProviderClient:
    """A `ChatProvider` over `client`, which the caller opens and closes."""

    def __init__(
        self, client: httpx.AsyncClient, provider: Provider, options: ProviderOptions, codec: Codec
    ) -> None:
        self._endpoint = ProviderEndpoint(client, provider, options)
        self._provider = provider
        self._options = options
        self._codec = codec
        self._log = structlog.get_logger("discordianai.providers").bind(provider=self.provider.name)

    @property
    def provider(self) -> Provider:
        """See `ChatProvider.provider`."""
        return self._provider

    @property
    def model(self) -> str:
        """See `ChatProvider.model`."""
        return self._options.usual_model

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """See `ChatProvider.stream`."""
        body = self._codec.encode(request)
        try:
            async with self._endpoint.post(self._codec.path, body) as response:
                if response.is_success:
                    async with self._answer(request, response) as events:
                        yield events
                    return
                error = failures.error_object(await self._endpoint.small(response))
                if not failures.refuses_streaming(error):
                    raise failures.from_response(self.provider, response, error)
            self._log.info("provider refuses to stream; asking without", question=request.number)
            whole = {key: value for key, value in body.items() if key not in {"stream", "stream_options"}}
            async with self._endpoint.post(self._codec.path, whole) as response:
                if not response.is_success:
                    error = failures.error_object(await self._endpoint.small(response))
                    raise failures.from_response(self.provider, response, error)
                async with self._answer(request, response) as events:
                    yield events
        except httpx.HTTPError as error:
            raise failures.from_httpx(self.provider, error) from error

    @asynccontextmanager
    async def _answer(
        self, request: ChatRequest, response: httpx.Response
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a response. If this is left early, the run is cancelled."""
        decoder = self._codec.decoder(request, response.headers.get("x-request-id", ""))
        try:
            async with aclosing(self._read(response, decoder)) as events:
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

    async def _read(self, response: httpx.Response, decoder: Decoder) -> AsyncGenerator[Event, None]:
        if limits := rate_limits(response.headers):
            yield LimitsReport(limits)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == "application/json":
            for event in decoder.decode_whole(await self._endpoint.json(response)):
                yield event
            return
        async with aclosing(self._stream(response, decoder)) as events:
            async for event in events:
                yield event

    async def _stream(self, response: httpx.Response, decoder: Decoder) -> AsyncGenerator[Event, None]:
        progress = _Progress(self._options)
        failure: ProviderError = ConnectionLost(self.provider, "the stream ended before the answer did")
        try:
            async with aclosing(event_data(self.provider, response, lambda: progress.deadline)) as stream:
                async for data in stream:
                    # What follows the last event is read as well, up to the end of the response.
                    for event in () if progress.complete else decoder.decode(data):
                        progress.see(event)
                        yield event
                    if progress.complete and not decoder.ended:
                        return  # cut here: the rest is not needed
                    progress.extend()
        except (httpx.HTTPError, ProviderError) as error:
            failure = failures.from_httpx(self.provider, error)
        for event in () if progress.complete else decoder.close():
            progress.see(event)
            yield event
        if not progress.complete:
            raise failure


class _Progress:
    """How far an answer is, and the deadline of the next event on trio's clock."""

    def __init__(self, options: ProviderOptions) -> None:
        self._options = options
        self._timeout = options.first_token_timeout
        self.complete = False
        self.deadline = trio.current_time() + self._timeout

    def see(self, event: Event) -> None:
        """An event of the answer."""
        if isinstance(event, TextDelta):
            self._timeout = self._options.read_timeout
        elif isinstance(event, End):
            self.complete, self.deadline = True, trio.current_time() + LINGER

    def extend(self) -> None:
        """Any event shows that the provider works: a model may search and think before the first text."""
        if not self.complete:
            self.deadline = trio.current_time() + self._timeout
