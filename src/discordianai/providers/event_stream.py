"""The server-sent events of a provider, one at a time, within bounds of size and time."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import httpx
import trio
from httpx_sse import EventSource

from discordianai.providers.endpoint import raw_chunks
from discordianai.providers.errors import MalformedAnswer, TimedOut
from discordianai.records import Provider

MOST_OF_AN_EVENT = 2**20
"""Bytes. The largest real events are complete answers with their sources, some hundred kilobytes."""

_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LONGEST_END = 4


async def event_data(
    provider: Provider, response: httpx.Response, deadline: Callable[[], float]
) -> AsyncGenerator[str, None]:
    """The data of each event that has any.

    `deadline` gives the deadline of the next event on trio's clock. Iterating raises `TimedOut`,
    `MalformedAnswer` and `httpx.HTTPError`.
    """
    # A response of our own around the same bytes: the library reads responses, and sets no bound to them.
    bounded = httpx.Response(
        200,
        headers={"content-type": "text/event-stream"},
        stream=_Bounded(provider, response),
        default_encoding="utf-8-sig",  # httpx-sse loses the first event behind a byte order mark
    )
    async with aclosing(EventSource(bounded).aiter_sse()) as events:
        while True:
            event = None
            with trio.CancelScope(deadline=deadline()) as scope:
                event = await anext(events, None)
            if scope.cancelled_caught:
                raise TimedOut(provider, "nothing came in time")
            if event is None:
                return
            if event.data.strip():
                yield event.data


class _Bounded(httpx.AsyncByteStream):
    """The bytes of a response. Raises `MalformedAnswer` if one event has too many.

    An iterator, not a generator: httpx closes only the outermost of those that it chains.
    """

    def __init__(self, provider: Provider, response: httpx.Response) -> None:
        self._provider = provider
        self._chunks = raw_chunks(provider, response)
        self._size, self._tail = 0, b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        seen = self._tail + chunk
        end = max(seen.rfind(end) for end in _ENDS)
        self._size = self._size + len(chunk) if end < 0 else len(seen) - end
        if self._size > MOST_OF_AN_EVENT:
            raise MalformedAnswer(self._provider, f"an event of over {MOST_OF_AN_EVENT} bytes")
        self._tail = seen[-_LONGEST_END + 1 :]
        return chunk
