"""Sends requests to one provider, and reads responses and server-sent events within bounds."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Protocol

import httpx
import trio
from httpx_sse import EventSource

from discordianai.providers import failures
from discordianai.providers.error_body import refusal
from discordianai.providers.errors import MalformedAnswer, TimedOut
from discordianai.providers.json_values import Json, NotJson, parse, parse_all, parse_whole
from discordianai.providers.options import ProviderOptions
from discordianai.records import Provider

MOST_OF_AN_ERROR = 64 * 1024
"""Bytes that are read of the body of an error."""

MOST_OF_AN_ANSWER = 8 * 2**20
"""Bytes of an answer that comes as one JSON object."""

ERROR_WITHIN = 5.0
"""Seconds for the body of an error: its status and headers, which are there, tell the most."""

CANCEL_TIMEOUT = 3.0
"""Seconds for cancelling a run."""


class ProviderEndpoint:
    """One provider's address and key, over `client`, which the caller opens and closes."""

    def __init__(self, client: httpx.AsyncClient, provider: Provider, options: ProviderOptions) -> None:
        self._provider = provider
        self._client = client
        self._options = options

    @asynccontextmanager
    async def post(self, path: str, body: Json) -> AsyncIterator[httpx.Response]:
        """The response to `body`; leaving the block early resets the stream.

        Raises `httpx.HTTPError`, and `TimedOut` where its headers are not there in time, however often a
        piece of them comes.
        """
        timeout = httpx.Timeout(self._client.timeout)
        # Reasoning models are silent for long before the first token. The events have their own deadlines.
        timeout.read = max(self._options.first_token_timeout, self._options.read_timeout)
        opening = self._client.stream(
            "POST",
            f"{self._options.base_url}{path}",
            content=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
            headers={"content-type": "application/json", **self._headers()},
            timeout=timeout,
        )
        waits = (timeout.pool, timeout.connect, timeout.write, timeout.read)
        async with AsyncExitStack() as stack:
            response: httpx.Response | None = None
            with trio.move_on_after(sum(wait or 0.0 for wait in waits)):
                response = await stack.enter_async_context(opening)
            if response is None:
                raise TimedOut(self._provider, "the headers were not complete in time")
            yield response

    async def json(self, response: httpx.Response) -> Json:
        """The JSON object in a response. Raises `MalformedAnswer` and `httpx.HTTPError`."""
        content = await self._read(response, MOST_OF_AN_ANSWER)
        if len(content) > MOST_OF_AN_ANSWER:
            raise MalformedAnswer(self._provider, f"an answer of over {MOST_OF_AN_ANSWER} bytes")
        try:
            return parse(content)
        except NotJson as error:
            raise MalformedAnswer(self._provider, f"the answer is not JSON: {error}") from None

    async def fetch(self, path: str) -> Json:
        """The JSON object at `path`, which may be as long as an answer, within the time of one read.

        Raises `ProviderError`.
        """
        url = f"{self._options.base_url}{path}"
        try:
            with trio.move_on_after(self._options.read_timeout):
                async with self._client.stream("GET", url, headers=self._headers()) as response:
                    if not response.is_success:
                        raise failures.from_response(self._provider, response, await self.refusal(response))
                    return await self.json(response)
        except httpx.HTTPError as error:
            raise failures.from_httpx(self._provider, error) from error
        raise TimedOut(self._provider, "the answer was not complete in time")

    async def refusal(self, response: httpx.Response) -> Json:
        """The error in a response that is not a success; empty if it is not complete in time."""
        content = b""
        within = min(self._options.read_timeout, ERROR_WITHIN)
        with suppress(MalformedAnswer, httpx.HTTPError), trio.move_on_after(within):
            content = await self._read(response, MOST_OF_AN_ERROR)
        return refusal(content.decode("utf-8", "replace")) if content else {}

    async def cancel(self, path: str, response: httpx.Response) -> None:
        """Cancel the run that this is the response of, and close it. Raises `ProviderError`.

        It takes at most `CANCEL_TIMEOUT`, and is done even if this task is cancelled.
        """
        with trio.move_on_after(CANCEL_TIMEOUT, shield=True):
            url = f"{self._options.base_url}{path}"
            try:
                await response.aclose()  # first: its connection may be the only one that there is
                async with self._client.stream("POST", url, headers=self._headers()) as response:
                    if not response.is_success:
                        raise failures.from_response(self._provider, response, {})
                    return
            except httpx.HTTPError as error:
                raise failures.from_httpx(self._provider, error) from error
        raise TimedOut(self._provider, "the cancellation was not confirmed in time")

    def _headers(self) -> Mapping[str, str]:
        """Compression is refused: a body of a megabyte could unpack to a gigabyte."""
        headers = {"accept-encoding": "identity"}
        if self._options.api_key is not None:
            headers["authorization"] = f"Bearer {self._options.api_key.get_secret_value()}"
        return headers

    async def _read(self, response: httpx.Response, most: int) -> bytes:
        """The body, or a little more than `most` of it."""
        content = bytearray()
        async for chunk in raw_chunks(self._provider, response):
            content += chunk
            if len(content) > most:
                break
        return bytes(content)


def raw_chunks(provider: Provider, response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `MalformedAnswer` if it is compressed, which was not asked for."""
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.strip().lower() not in {"", "identity"}:
        raise MalformedAnswer(provider, "the answer is compressed")
    return response.aiter_raw()


MOST_OF_AN_EVENT = 2**20
"""Bytes. The largest real events are complete answers with their sources, some hundred kilobytes."""

_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_END = 4
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def _is_cut(data: str) -> bool:
    """Whether the last event is only a part of one."""
    try:
        parse_all(data.rstrip().removesuffix("[DONE]"))
    except NotJson:
        return data.lstrip()[:1] in {"{", "["}
    return False


class Deadlines(Protocol):
    """How long to wait for an answer."""

    @property
    def deadline(self) -> float:
        """On trio's clock: when the next bytes have to be there."""

    @property
    def overdue(self) -> str:
        """What to say of bytes that come later."""

    def extend(self) -> None:
        """Bytes have come: any are a sign of life."""


class AnswerBody:
    """The body of a response that is a success.

    Labels are not relied on: some send events as `text/plain`, others one JSON object as an event stream.
    """

    def __init__(self, provider: Provider, response: httpx.Response, deadlines: Deadlines) -> None:
        self._provider = provider
        self._chunks = _Timed(provider, raw_chunks(provider, response), deadlines)
        self._begin = b""

    async def is_json(self) -> bool:
        """Whether it is one JSON object, told by its first byte.

        Raises `MalformedAnswer` for a page of HTML, `TimedOut` and `httpx.HTTPError`.
        """
        async for chunk in self._chunks:
            # Some send empty lines until the answer is there.
            self._begin = (self._begin + chunk).removeprefix(_BYTE_ORDER_MARK).lstrip()
            if self._begin and not _BYTE_ORDER_MARK.startswith(self._begin):
                break
        if self._begin.startswith(b"<"):
            raise MalformedAnswer(self._provider, "a page of HTML instead of an answer")
        return self._begin.startswith((b"{", b"["))

    async def json(self) -> Json:
        """The JSON object. Raises `MalformedAnswer`, `TimedOut` and `httpx.HTTPError`."""
        content = bytearray(self._begin)
        async for chunk in self._chunks:
            content += chunk
            if len(content) > MOST_OF_AN_ANSWER:
                raise MalformedAnswer(self._provider, f"an answer of over {MOST_OF_AN_ANSWER} bytes")
        try:
            return parse_whole(bytes(content))
        except NotJson as error:
            raise MalformedAnswer(self._provider, f"the answer is not JSON: {error}") from None

    async def events(self) -> AsyncGenerator[str, None]:
        """The data of each event that has any. Raises `MalformedAnswer`, `TimedOut` and `httpx.HTTPError`."""
        # A response of our own around the same bytes: the library reads responses, and sets no bound to them.
        body = _Bounded(self._provider, self._begin, self._chunks)
        bounded = httpx.Response(
            200,
            headers={"content-type": "text/event-stream"},
            stream=body,
            default_encoding="utf-8",
        )
        async with aclosing(EventSource(bounded).aiter_sse()) as events:
            async for event in events:
                if event.data.strip() and not (body.over and _is_cut(event.data)):
                    yield event.data


class _Timed:
    """The same chunks. Raises `TimedOut` if the next one does not come in time.

    An iterator, not a generator, like the next class: httpx closes only the outermost of those it chains.
    """

    def __init__(self, provider: Provider, chunks: AsyncIterator[bytes], deadlines: Deadlines) -> None:
        self._provider = provider
        self._chunks = chunks
        self._deadlines = deadlines

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with trio.CancelScope(deadline=self._deadlines.deadline):
            chunk = await anext(self._chunks)
            self._deadlines.extend()
            return chunk
        raise TimedOut(self._provider, self._deadlines.overdue)


class _Bounded(httpx.AsyncByteStream):
    """`begin`, then `chunks`; `over` once they end. Raises `MalformedAnswer` for too long an event."""

    def __init__(self, provider: Provider, begin: bytes, chunks: AsyncIterator[bytes]) -> None:
        self._provider = provider
        self._begin = begin
        self._chunks = chunks
        self._size, self._tail = 0, b""
        self.over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk: bytes | None
        chunk, self._begin = self._begin, b""
        if not chunk and (chunk := await anext(self._chunks, None)) is None:
            return self._end()
        seen = self._tail + chunk
        end = max(map(seen.rfind, _ENDS))
        self._size = self._size + len(chunk) if end < 0 else len(seen) - end
        if self._size > MOST_OF_AN_EVENT:
            raise MalformedAnswer(self._provider, f"an event of over {MOST_OF_AN_EVENT} bytes")
        self._tail = seen[-_LONGEST_END + 1 :]
        return chunk

    def _end(self) -> bytes:
        """The empty line behind the last event, which some forget."""
        if self.over:
            raise StopAsyncIteration
        self.over = True
        return b"\n\n"
