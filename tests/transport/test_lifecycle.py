"""Opening, closing, and event loops: any order, any task, and never a hang."""

import asyncio
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import anyio.to_thread
import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange, ServerOptions
from discordianai.transport import MultiplexedTransport
from discordianai.transport.clients import build_client
from discordianai.transport.options import PoolOptions
from tests.transport.backends import on_both, server_beside
from tests.transport.builders import TIMEOUT, patient

LONGEST = 4.0
"""Seconds: no test here waits for a timeout, all of which are longer."""


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    with server_beside(authority, patient) as url:
        yield url


@pytest.fixture(autouse=True)
def soon_over() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < LONGEST


def living_tasks() -> int:
    """Of the event loop that runs, its own included."""
    if trio.lowlevel.in_trio_task():
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def make(authority: Authority, **options: bool) -> httpx.AsyncClient:
    transport = MultiplexedTransport(ssl_context=authority.client_context(), **options)  # type: ignore[arg-type]  # by name
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT)


def transport_of(client: httpx.AsyncClient) -> MultiplexedTransport:
    transport = client._transport
    assert isinstance(transport, MultiplexedTransport)
    return transport


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(LONGEST):
        while not condition():  # noqa: ASYNC110  # what ends tells nobody
            await anyio.sleep(0.005)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@on_both
async def test_two_clients_are_closed_in_any_order(authority: Authority, url: str, order: list[int]) -> None:
    """The first opened may be the first closed; the other goes on."""
    clients = [make(authority), make(authority)]
    for client in clients:
        await client.__aenter__()
        await client.get(url)
    await clients[order[0]].__aexit__()
    assert (await clients[order[1]].get(url)).is_success
    await clients[order[1]].__aexit__()


@on_both
async def test_a_client_is_opened_and_closed_in_different_tasks(authority: Authority, url: str) -> None:
    """Each of which ends before the client does."""
    client = make(authority)

    async def open_and_ask() -> None:
        await client.__aenter__()
        await client.get(url)

    for step in (open_and_ask, partial(client.get, url), client.aclose):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)
    with pytest.raises(RuntimeError, match="closed"):
        await client._transport.handle_async_request(httpx.Request("GET", url))


@on_both
async def test_an_opening_that_is_cancelled_leaves_nothing_running(authority: Authority) -> None:
    """Nobody would ever close it."""
    client, before = make(authority), living_tasks()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.__aenter__()
    assert scope.cancelled_caught
    await until(lambda: living_tasks() == before)


@on_both
async def test_closing_fails_what_is_in_flight(authority: Authority, url: str) -> None:
    """At once, over HTTP/2, and for every request that still waits for its turn."""
    client = make(authority)
    failures: list[Exception] = []

    async def ask() -> None:
        try:
            await client.get(f"{url}/silent")
        except httpx.TransportError as error:
            failures.append(error)

    await client.__aenter__()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
        await until(lambda: transport_of(client).statistics().streams_in_use == 5)
        await client.aclose()
    assert len(failures) == 5


@on_both
async def test_closing_fails_what_waits_for_http1_too(authority: Authority) -> None:
    """It is not sent after all, on a connection that nobody closes."""
    heard = threading.Event()

    async def silent(_exchange: ServerExchange) -> None:
        heard.set()
        await trio.sleep_forever()

    with server_beside(authority, silent, ServerOptions(alpn=("http/1.1",))) as url:
        transport = MultiplexedTransport(ssl_context=authority.client_context(), max_connections=1)
        client = httpx.AsyncClient(transport=transport, timeout=TIMEOUT)
        ended: list[str] = []

        async def ask() -> None:
            try:
                await client.get(url)
            except httpx.TransportError as error:
                ended.append(type(error).__name__)

        await client.__aenter__()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until(heard.is_set)
            tasks.start_soon(ask)
            await until(lambda: transport.statistics().http1_requests == 2)
            await client.aclose()
    assert len(ended) == 2
    assert "ConnectError" in ended


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_a_second_event_loop_is_told_at_once(authority: Authority, url: str, first: str, second: str) -> None:
    """While the first runs, and without harm to it: neither requests, nor reading, nor closing."""

    async def intrude(client: httpx.AsyncClient, response: httpx.Response) -> None:
        for attempt in (partial(client.get, url), response.aread, client._transport.aclose):
            with pytest.raises(RuntimeError, match="another event loop"):
                await attempt()

    async def main() -> None:
        async with make(authority) as client, client.stream("GET", f"{url}/drip") as response:
            second_loop = partial(anyio.run, intrude, client, response, backend=second)
            await anyio.to_thread.run_sync(second_loop)
            assert (await client.get(url)).is_success

    anyio.run(main, backend=first)


@pytest.mark.parametrize("first", ["asyncio", "trio"])
@pytest.mark.parametrize("second", ["asyncio", "trio"])
def test_a_client_ends_with_its_event_loop(authority: Authority, url: str, first: str, second: str) -> None:
    """Though it was not closed: its loop ends, a later one cannot use it, and may close it."""
    client = make(authority)

    async def leave_open() -> None:
        await client.__aenter__()
        await client.get(url)

    async def come_late() -> None:
        with pytest.raises(RuntimeError, match="closed"):
            await client.get(url)
        await client.aclose()

    anyio.run(leave_open, backend=first)
    anyio.run(come_late, backend=second)


@on_both
async def test_a_response_can_be_read_by_another_task_of_the_loop(authority: Authority, url: str) -> None:
    """Only the loop matters."""
    async with make(authority) as client, client.stream("GET", f"{url}/drip") as response:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(response.aread)
        assert response.text.startswith("0;1;")


@pytest.mark.parametrize("http2", [True, False])
@on_both
async def test_one_request_may_be_sent_twice_at_once(authority: Authority, url: str, http2: bool) -> None:
    """Over either protocol: a request is not a place in the pool."""
    async with make(authority, http2=http2) as client:
        request = client.build_request("POST", f"{url}/slow", content=b"hello")
        bodies: list[bytes] = []

        async def send() -> None:
            bodies.append((await client.send(request)).content)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(send)
    assert bodies == [b"slow"] * 3


@contextmanager
def cookie_server() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the cookies that it was sent."""
    sent: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.extend(self.headers.get_all("cookie", []))
            self.send_response(200)
            self.send_header("set-cookie", "__cf_bm=a-visitor; path=/; max-age=1800")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", sent
        finally:
            server.shutdown()
            thread.join()


@on_both
async def test_no_cookies_are_kept_for_providers() -> None:
    """What a provider's proxy sets about one request is not told with the next."""
    with cookie_server() as (url, sent):
        async with build_client("openai", PoolOptions(), 5.0, http2=True).http as client:
            for _ in range(2):
                response = await client.get(url)
                assert "set-cookie" in response.headers
            assert dict(client.cookies) == {}
    assert sent == []
