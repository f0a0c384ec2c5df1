"""Sends requests to one provider, and reads responses and server-sent events within bounds."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx
import trio
from httpx_sse import EventSource

from discordianai.providers import failures
from discordianai.providers.errors import MalformedAnswer, TimedOut
from discordianai.providers.json_values import Json, NotJson, parse
from discordianai.providers.options import ProviderOptions
from discordianai.records import Provider

MOST_OF_AN_ERROR = 64 * 1024
"""Bytes that are read of the body of an error."""

MOST_OF_AN_ANSWER = 8 * 2**20
"""Bytes of an answer that comes as one JSON object."""

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
        """The response to `body`; leaving the block early resets the stream. Raises `httpx.HTTPError`."""
        timeout = httpx.Timeout(self._client.timeout)
        # Reasoning models are silent for long before the first token. The events have their own deadlines.
        timeout.read = max(self._options.first_token_timeout, self._options.read_timeout)
        async with self._client.stream(
            "POST",
            f"{self._options.base_url}{path}",
            content=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
            headers={"content-type": "application/json", **self._headers()},
            timeout=timeout,
        ) as response:
            yield response

    async def json(self, response: httpx.Response) -> Json:
        """The body of an answer that is one JSON object. Raises `MalformedAnswer` and `httpx.HTTPError`."""
        content = await self._read(response, MOST_OF_AN_ANSWER)
        if len(content) > MOST_OF_AN_ANSWER:
            raise MalformedAnswer(self._provider, f"an answer of over {MOST_OF_AN_ANSWER} bytes")
        try:
            return parse(content)
        except NotJson as error:
            raise MalformedAnswer(self._provider, f"the answer is not JSON: {error}") from None

    async def get(self, path: str) -> Json:
        """The small JSON object at `path`, perhaps that of an error. Raises `httpx.HTTPError`."""
        url = f"{self._options.base_url}{path}"
        async with self._client.stream("GET", url, headers=self._headers()) as response:
            return await self.small(response)

    async def small(self, response: httpx.Response) -> Json:
        """A body such as an error's; empty where it is not a JSON object, too long, or not complete in time.

        The status has to do then.
        """
        content = b""
        try:
            with trio.move_on_after(self._options.read_timeout):
                content = await self._read(response, MOST_OF_AN_ERROR)
            return parse(content)
        except (NotJson, MalformedAnswer, httpx.HTTPError):
            return {}  # the text or HTML of a proxy, for instance

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
