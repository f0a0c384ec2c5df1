"""The body of an answer: server-sent events or one JSON object, within bounds of size and time."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

import httpx
import trio
from httpx_sse import EventSource

from discordianai.providers.endpoint import MOST_OF_AN_ANSWER, raw_chunks
from discordianai.providers.errors import MalformedAnswer, TimedOut
from discordianai.providers.json_values import Json, NotJson, parse_whole
from discordianai.records import Provider

MOST_OF_AN_EVENT = 2**20
"""Bytes. The largest real events are complete answers with their sources, some hundred kilobytes."""

_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_END = 4
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
        bounded = httpx.Response(
            200,
            headers={"content-type": "text/event-stream"},
            stream=_Bounded(self._provider, self._begin, self._chunks),
            default_encoding="utf-8",
        )
        async with aclosing(EventSource(bounded).aiter_sse()) as events:
            async for event in events:
                if event.data.strip():
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
    """`begin`, then `chunks`. Raises `MalformedAnswer` if one event has too many bytes."""

    def __init__(self, provider: Provider, begin: bytes, chunks: AsyncIterator[bytes]) -> None:
        self._provider = provider
        self._begin = begin
        self._chunks = chunks
        self._size, self._tail = 0, b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk, self._begin = self._begin or await anext(self._chunks), b""
        seen = self._tail + chunk
        end = max(seen.rfind(end) for end in _ENDS)
        self._size = self._size + len(chunk) if end < 0 else len(seen) - end
        if self._size > MOST_OF_AN_EVENT:
            raise MalformedAnswer(self._provider, f"an event of over {MOST_OF_AN_EVENT} bytes")
        self._tail = seen[-_LONGEST_END + 1 :]
        return chunk
