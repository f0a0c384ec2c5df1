"""What a provider may send has a bound, in size and in time; beyond it the answer ends, and says so.

A real server sends without end, over TLS and HTTP/2, and counts what is taken.
"""

import gzip
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.dispatch.routing import WEB_SEARCH
from discordianai.providers import errors
from discordianai.providers.answer_parts import MOST_SOURCES, MOST_TEXT
from discordianai.providers.client import make_provider
from discordianai.providers.endpoint import MOST_OF_AN_ERROR, MOST_OF_AN_EVENT
from discordianai.providers.options import ProviderOptions
from discordianai.providers.options import provider as record
from discordianai.providers.port import ChatProvider, End, Event, SourceList, TextDelta
from discordianai.records import ChatRequest, Dialect, FinishReason, Role, ToolCall, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import PeerGone, ServerExchange, open_server
from discordianai.transport import MultiplexedTransport

WINDOWS = 2 * 2**20
"""Bytes that may be on their way when the reader gives up: what the pool's windows let through."""

QUESTION = ChatRequest("a-model", (Turn(Role.USER, "why?"),), tools=(WEB_SEARCH,), number=1)
Answer = Callable[[ServerExchange], Awaitable[None]]


class Sent:
    """What the server got rid of, and what was posted to it."""

    bytes = 0
    paths: list[str]

    def __init__(self) -> None:
        self.paths = []


@asynccontextmanager
async def provider(
    authority: Authority, answer: Answer, dialect: Dialect = Dialect.RESPONSES
) -> AsyncIterator[tuple[ChatProvider, Sent]]:
    """A provider of that dialect whose server answers so."""
    sent = Sent()

    async def handle(exchange: ServerExchange) -> None:
        sent.paths.append(exchange.path)
        send = exchange.send

        async def counted(data: bytes) -> None:
            await send(data)
            sent.bytes += len(data)

        exchange.send = counted  # type: ignore[method-assign]  # counts what is taken
        try:
            await answer(exchange)
        except PeerGone:
            return

    async with (
        open_server(handle, authority=authority) as server,
        httpx.AsyncClient(transport=MultiplexedTransport(ssl_context=authority.client_context())) as client,
    ):
        options = ProviderOptions(
            base_url=server.url, api_key=SecretStr("key"), model="a-model", read_timeout=2.0
        )
        yield make_provider(client, record("here", "Here", dialect), options), sent


async def ask(asked: ChatProvider) -> list[Event]:
    async with asked.stream(QUESTION) as events:
        return [event async for event in events]


def event(kind: str, **fields: object) -> bytes:
    return f"data: {json.dumps({'type': kind, **fields})}\n\n".encode()


def streaming(*head: bytes, endless: bytes = b"", media_type: str = "text/event-stream") -> Answer:
    """Begins with `head`, and goes on with `endless` until nobody listens."""

    async def answer(exchange: ServerExchange) -> None:
        await exchange.start(200, [("content-type", media_type)])
        for piece in head:
            await exchange.send(piece)
        while endless:
            await exchange.send(endless)

    return answer


@pytest.mark.parametrize("dialect", [Dialect.RESPONSES, Dialect.CHAT, Dialect.AGENT])
@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"x" * 16_384, id="a line without end"),
        pytest.param(b"data: " + b"x" * 16_000 + b"\n", id="an event of lines without end"),
        pytest.param(b":" + b"x" * 16_000, id="a comment without end"),
    ],
)
async def test_an_event_without_end_is_no_answer(
    authority: Authority, endless: bytes, dialect: Dialect
) -> None:
    """The reader gives up at the bound, and the rest is not taken."""
    async with provider(authority, streaming(endless=endless), dialect) as (asked, sent):
        with trio.fail_after(20), pytest.raises(errors.MalformedAnswer):
            await ask(asked)
        await trio.sleep(0.1)
        assert sent.bytes < MOST_OF_AN_EVENT + WINDOWS


async def test_an_answer_without_end_is_cut_and_says_so(authority: Authority) -> None:
    """30 MB of text must not become memory; what came is shown, up to the bound."""
    piece = event("response.output_text.delta", output_index=0, content_index=0, delta="word " * 3_000)
    async with provider(authority, streaming(endless=piece)) as (asked, sent):
        with trio.fail_after(60):
            events = await ask(asked)
        await trio.sleep(0.1)
        assert sum(len(each.text) for each in events if isinstance(each, TextDelta)) == MOST_TEXT
        assert events[-1] == End(FinishReason.LENGTH)
        assert sent.bytes < 1.2 * MOST_TEXT + WINDOWS


async def test_an_error_without_end_is_still_the_error_of_its_status(authority: Authority) -> None:
    """64 KB of the body are read, for the code in it."""

    async def answer(exchange: ServerExchange) -> None:
        await exchange.start(503, [("content-type", "application/json")])
        while True:
            await exchange.send(b"x" * 65_536)

    async with provider(authority, answer) as (asked, sent):
        with trio.fail_after(20), pytest.raises(errors.Overloaded):
            await ask(asked)
        await trio.sleep(0.1)
        assert sent.bytes < MOST_OF_AN_ERROR + WINDOWS


async def test_an_error_whose_body_never_ends_is_told_in_time(authority: Authority) -> None:
    async def answer(exchange: ServerExchange) -> None:
        await exchange.start(429, [("content-type", "application/json"), ("retry-after", "3")])
        await exchange.send(b"{")
        await trio.sleep_forever()

    async with provider(authority, answer) as (asked, _):
        with trio.fail_after(10), pytest.raises(errors.RateLimited) as caught:
            await ask(asked)
    assert caught.value.retry_after == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, errors.AuthenticationFailed), (429, errors.RateLimited), (503, errors.Overloaded)],
)
async def test_an_error_whose_body_breaks_off_is_still_the_error_of_its_status(
    authority: Authority, status: int, error: type[errors.ProviderError]
) -> None:
    """A wrong key is not a lost connection, which would be tried again."""

    async def answer(exchange: ServerExchange) -> None:
        await exchange.start(status, [("content-type", "application/json"), ("retry-after", "3")])
        await exchange.send(b'{"error": ')
        await exchange.reset()

    async with provider(authority, answer) as (asked, _):
        with trio.fail_after(10), pytest.raises(error):
            await ask(asked)


@pytest.mark.parametrize("status", [200, 500])
async def test_what_comes_compressed_is_not_unfolded(authority: Authority, status: int) -> None:
    """We ask for none; a megabyte and a half of zeros' gzip would be a gigabyte and a half."""
    bomb = gzip.compress(b"data: " + b"0" * 50_000_000)

    async def answer(exchange: ServerExchange) -> None:
        assert exchange.headers["accept-encoding"] == "identity"
        await exchange.start(status, [("content-type", "text/event-stream"), ("content-encoding", "gzip")])
        await exchange.send(bomb)
        await exchange.finish()

    async with provider(authority, answer) as (asked, _):
        with trio.fail_after(20), pytest.raises((errors.MalformedAnswer, errors.Overloaded)):
            await ask(asked)


async def test_a_whole_answer_without_end_is_none(authority: Authority) -> None:
    """JSON instead of a stream has a bound of its own."""
    answer = streaming(b'{"output": "', endless=b"x" * 65_536, media_type="application/json")
    async with provider(authority, answer) as (asked, _):
        with trio.fail_after(60), pytest.raises(errors.MalformedAnswer):
            await ask(asked)


async def test_sources_and_arguments_without_end_are_cut(authority: Authority) -> None:
    """What can be used of them is kept."""
    results = [{"id": n, "url": f"https://a.example/{n}", "title": "t" * 500} for n in range(1, 1000)]
    pieces = [
        event(
            "response.output_item.added", output_index=9, item={"type": "function_call", "name": "web_search"}
        ),
        *[event("response.function_call_arguments.delta", output_index=9, delta="x" * 1000)] * 100,
        event("response.output_item.done", output_index=9, item={"type": "function_call"}),
        event("response.reasoning.search_results", results=results),
        event(
            "response.reasoning.search_results", results=[{"id": 1, "url": "https://a.example/" + "x" * 9000}]
        ),
        event("response.completed", response={"status": "completed"}),
    ]
    async with provider(authority, streaming(*pieces)) as (asked, _):
        with trio.fail_after(20):
            events = await ask(asked)
    assert ToolCall("web_search", "") in events
    (sources,) = [each for each in events if isinstance(each, SourceList)]
    assert len(sources.citations) == MOST_SOURCES
    assert all(len(citation.title) <= 300 for citation in sources.citations if citation)


async def test_a_cut_answer_is_cancelled_where_closing_does_not_stop_it(authority: Authority) -> None:
    """The run would stay on the bill; its id is known from the headers."""
    piece = event("response.output_text.delta", output_index=0, content_index=0, delta="word " * 3_000)

    async def answer(exchange: ServerExchange) -> None:
        if exchange.path.endswith("/cancel"):
            await exchange.respond(200, [("content-type", "application/json")], b"{}")
            return
        await exchange.start(200, [("content-type", "text/event-stream"), ("x-request-id", "run-1")])
        while True:
            await exchange.send(piece)

    async with provider(authority, answer, Dialect.AGENT) as (asked, sent):
        with trio.fail_after(60):
            await ask(asked)
    assert sent.paths == ["/v1/agent", "/v1/agent/resp_run-1/cancel"]


async def test_stopping_waits_no_longer_for_the_cancellation_than_its_bound(authority: Authority) -> None:
    """A provider that does not answer the cancellation holds nobody."""

    async def answer(exchange: ServerExchange) -> None:
        if exchange.path.endswith("/cancel"):
            await trio.sleep_forever()
        await exchange.start(200, [("content-type", "text/event-stream"), ("x-request-id", "run-1")])
        await exchange.send(event("response.created", response={"id": "resp_run-2"}))
        await trio.sleep_forever()

    async with provider(authority, answer, Dialect.AGENT) as (asked, sent):
        began = trio.current_time()
        with trio.move_on_after(0.5):
            await ask(asked)
        assert trio.current_time() - began < 5
        assert sent.paths[-1] == "/v1/agent/resp_run-2/cancel"


@asynccontextmanager
async def raw_provider(*pieces: bytes, each: float) -> AsyncIterator[ChatProvider]:
    """A provider over HTTP/1.1 that answers in these pieces, the last one again and again."""

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.receive_some()
            for piece in itertools.chain(pieces, itertools.repeat(pieces[-1])):
                await stream.send_all(piece)
                await trio.sleep(each)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, handle, 0)
        port = listeners[0].socket.getsockname()[1]
        async with httpx.AsyncClient(transport=MultiplexedTransport(), timeout=0.5) as client:
            options = ProviderOptions(
                base_url=f"http://127.0.0.1:{port}",
                model="a-model",
                read_timeout=1.0,
                first_token_timeout=1.0,
                dialect="chat",
            )
            yield make_provider(client, record("here", "Here", Dialect.CHAT), options)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"), id="headers without end"),
        pytest.param((b"HTTP/1.1 103 Early Hints\r\n\r\n",), id="early hints without end"),
    ],
)
async def test_headers_that_drip_are_not_waited_for_until_the_deadline(pieces: tuple[bytes, ...]) -> None:
    """Each piece comes in time, and the answer never begins: another provider has to be asked."""
    async with raw_provider(*pieces, each=0.1) as asked:
        began = trio.current_time()
        with trio.fail_after(20), pytest.raises(errors.TimedOut):
            await ask(asked)
        assert trio.current_time() - began < 5.0


async def test_the_body_of_an_error_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status and headers say how long to wait; each second of the body is one in which nobody is asked."""
    monkeypatch.setattr("discordianai.providers.endpoint.ERROR_WITHIN", 0.3)
    head = b"HTTP/1.1 429 x\r\nretry-after: 7\r\ncontent-length: 9999\r\n\r\n"
    async with raw_provider(head, b"x", each=0.05) as asked:
        began = trio.current_time()
        with trio.fail_after(20), pytest.raises(errors.RateLimited) as refused:
            await ask(asked)
        assert trio.current_time() - began < 0.9
    assert refused.value.retry_after == 7.0
