"""Streaming chat completions, as OpenAI and Perplexity both speak them."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import structlog
import trio
from httpx_sse import EventSource, ServerSentEvent, SSEError

from discordianai.model import ChatRequest, Chunk, Citation, FinishReason, ProviderName, Role, Turn, Usage
from discordianai.providers import failures
from discordianai.providers.errors import ConnectionLost, TimedOut
from discordianai.providers.limits import rate_limits
from discordianai.providers.port import ProviderOptions
from discordianai.providers.tool_calls import ToolCalls

Json = dict[str, Any]
"""A provider's JSON: its shape is the provider's, and read here only."""

DONE = "[DONE]"
LINGER = 1.0
"""Seconds to wait for the end of the response after [DONE]: read, the connection is fit for reuse."""


class ChatCompletions:
    """A `ChatProvider` over `client`, which the caller opens and closes."""

    def __init__(self, client: httpx.AsyncClient, options: ProviderOptions) -> None:
        self._client = client
        self._options = options

    @property
    def name(self) -> ProviderName:
        """See `ChatProvider.name`."""
        return self._options.name

    @property
    def model(self) -> str:
        """See `ChatProvider.model`."""
        return self._options.model

    def body(self, request: ChatRequest) -> Json:
        """What is posted for `request`; each provider adds what it knows."""
        messages = [{"role": turn.role.value, "content": _content(turn)} for turn in request.turns]
        if request.instructions:
            messages.insert(0, {"role": Role.SYSTEM.value, "content": request.instructions})
        body: Json = {"model": request.model, "messages": messages, "stream": True}
        if self._options.reasoning_effort:
            body["reasoning_effort"] = self._options.reasoning_effort
        return body

    @asynccontextmanager
    async def stream(self, request: ChatRequest) -> AsyncIterator[AsyncIterator[Chunk]]:
        """See `ChatProvider.stream`."""
        body = self.body(request)
        try:
            async with self._post(body) as response:
                if response.is_success:
                    async with aclosing(self._read(response, ToolCalls(request.tools))) as chunks:
                        yield chunks
                    return
                error = await self._json(response)
            if not _refuses_streaming(error):
                raise failures.from_response(self.name, response, error)
            log = structlog.get_logger("discordianai.providers").bind(question=request.number)
            log.info("the provider refuses to stream; asking without", provider=self.name.value)
            yield _each(await self._ask_without_streaming(body, ToolCalls(request.tools)))
        except httpx.HTTPError as error:
            raise failures.from_httpx(self.name, error) from error

    @asynccontextmanager
    async def _post(self, body: Json) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(self._client.timeout)
        # Reasoning models are silent for long before the first token; from then on `_read` watches the pace.
        timeout.read = max(self._options.first_token_timeout, self._options.read_timeout)
        key = self._options.api_key.get_secret_value()
        async with self._client.stream(
            "POST",
            f"{self._options.base_url}/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout,
        ) as response:
            yield response

    async def _ask_without_streaming(self, body: Json, calls: ToolCalls) -> list[Chunk]:
        whole = {key: value for key, value in body.items() if key not in {"stream", "stream_options"}}
        async with self._post(whole) as response:
            answer = await self._json(response)
            if not response.is_success:
                raise failures.from_response(self.name, response, answer)
        calls.add(_said(answer, "message"))
        call = calls.whole()
        return [*([Chunk(tool_call=call)] if call else []), _chunk(answer, "message")]

    async def _json(self, response: httpx.Response) -> Json:
        await response.aread()
        try:
            body = response.json()
        except ValueError:
            body = {}
        return body if isinstance(body, dict) else {}

    async def _read(self, response: httpx.Response, calls: ToolCalls) -> AsyncGenerator[Chunk, None]:
        response.encoding = "utf-8-sig"  # httpx-sse loses the first event behind a byte order mark
        finished = False
        deadline = trio.current_time() + self._options.first_token_timeout
        awaited = "first"
        if limits := rate_limits(response.headers):
            yield Chunk(limits=limits)
        try:
            async with aclosing(EventSource(response).aiter_sse()) as events:
                while event := await self._next(events, deadline, awaited):
                    if event.data == DONE:
                        finished, deadline = True, trio.current_time() + LINGER
                        continue
                    data = self._parse(event)
                    calls.add(_said(data, "delta"))
                    chunk = _chunk(data, "delta")
                    finished = finished or chunk.finish_reason is not None
                    if chunk.text or awaited == "next":
                        deadline, awaited = trio.current_time() + self._options.read_timeout, "next"
                    if finished and (call := calls.whole()):
                        yield Chunk(tool_call=call)
                    yield chunk
        except (httpx.HTTPError, TimedOut) as error:
            if not finished:
                raise failures.from_httpx(self.name, error) from error
        except SSEError as error:
            raise ConnectionLost(self.name, "the answer is no event stream") from error
        if not finished:
            raise ConnectionLost(self.name, "the stream ended before the answer did")

    async def _next(
        self, events: AsyncGenerator[ServerSentEvent, None], deadline: float, awaited: str
    ) -> ServerSentEvent | None:
        """The next event; None at the end of the stream."""
        with trio.CancelScope(deadline=deadline):
            return await anext(events, None)
        raise TimedOut(self.name, f"no {awaited} token in time")

    def _parse(self, event: ServerSentEvent) -> Json:
        if not event.data.strip():
            return {}
        try:
            data = json.loads(event.data)
        except ValueError:
            # The error's own text would repeat the answer.
            raise ConnectionLost(self.name, "an event is not JSON") from None
        if not isinstance(data, dict):
            return {}
        if problem := failures.error_object(data):
            raise failures.from_event(self.name, problem)
        return data


def _content(turn: Turn) -> str | list[Json]:
    """What was said, with the pictures that go along."""
    if not turn.images:
        return turn.text
    images = [{"type": "image_url", "image_url": {"url": url}} for url in turn.images]
    return [{"type": "text", "text": turn.text}, *images]


def _refuses_streaming(body: Json) -> bool:
    """Some organisations may not stream some models."""
    error = failures.error_object(body)
    return error.get("param") == "stream" or (
        error.get("code") == "unsupported_value" and error.get("param") is None
    )


async def _each(chunks: list[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


def _choice(data: Json) -> Json:
    choices = data.get("choices") or [{}]
    return choices[0] if isinstance(choices[0], dict) else {}


def _said(data: Json, part: str) -> Json:
    """What one event says, where `part` is "delta", or a whole answer, where it is "message"."""
    return _choice(data).get(part) or {}


def _chunk(data: Json, part: str) -> Chunk:
    return Chunk(
        text=_said(data, part).get("content") or "",
        citations=_citations(data),
        usage=_usage(data.get("usage")),
        finish_reason=_finish_reason(_choice(data).get("finish_reason")),
    )


def _citations(data: Json) -> tuple[Citation, ...]:
    """`search_results` say more than `citations`, the bare addresses of the same sources."""
    results = data.get("search_results")
    if results:
        return tuple(
            Citation(
                url=result.get("url") or "", title=result.get("title") or "", date=result.get("date") or ""
            )
            for result in results
            if isinstance(result, dict)
        )
    return tuple(Citation(url=url) for url in data.get("citations") or () if isinstance(url, str))


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage:
        return None
    return Usage(
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
    )


def _finish_reason(reason: str | None) -> FinishReason | None:
    if reason is None:
        return None
    return FinishReason(reason) if reason in set(FinishReason) else FinishReason.OTHER
